"""SQLite files that threads and processes share."""
