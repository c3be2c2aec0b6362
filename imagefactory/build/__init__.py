"""From a template to a stored target image."""
