"""The REST API: routing, authentication and limits for any version of it; version 1.0 is in `v1`."""
