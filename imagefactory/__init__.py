"""Image Factory: one template, machine images for every cloud."""

__version__ = "2.0.0.dev0"
