"""Real processes, real sockets, real machines."""
