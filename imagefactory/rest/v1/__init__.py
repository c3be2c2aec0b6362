"""The REST API 1.0."""
