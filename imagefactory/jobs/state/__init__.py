"""What is known of jobs: index, log, listeners."""
