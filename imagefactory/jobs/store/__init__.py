"""Where jobs are remembered over restarts."""
