"""From a stored target image to one at a provider."""
