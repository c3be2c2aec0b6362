"""Jobs: accepted, queued, run, cancelled, remembered."""
