"""What every Omnify service stands on; services import from its modules, never around them."""
