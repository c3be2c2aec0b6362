"""TLS: our own identity and its renewal, host names, how servers' certificates are checked."""
