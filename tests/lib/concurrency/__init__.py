"""Small things for structured asynchronous work."""
