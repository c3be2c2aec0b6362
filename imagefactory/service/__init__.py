"""What makes a process a daemon: one per state directory, its pid file, its log, notifications to systemd."""
