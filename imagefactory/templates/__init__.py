"""From what a client sent to a complete template."""
