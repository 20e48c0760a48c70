"""Bodies of requests and answers, a module an area."""
