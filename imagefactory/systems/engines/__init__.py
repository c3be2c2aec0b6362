"""Ways from a template to a base system."""
