"""Finding plug-ins by name."""
