"""Webhooks: out to the endpoints of organisations, in from other platforms."""
