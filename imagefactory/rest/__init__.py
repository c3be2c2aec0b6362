"""The REST API 1.0: one table of routes, one class per family of resources, and what guards the door."""
