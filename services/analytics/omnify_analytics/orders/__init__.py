"""From the bytes of an order file to checked orders, without any input or output."""
