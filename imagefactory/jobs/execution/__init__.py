"""Jobs that run: queue, runner, reports, completion."""
