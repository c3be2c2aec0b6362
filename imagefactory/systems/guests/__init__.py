"""Ways into a system that is being customised."""
