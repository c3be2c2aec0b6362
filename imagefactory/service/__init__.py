"""What makes a process a daemon: one per state directory, its pid file, its log, its word to systemd."""
