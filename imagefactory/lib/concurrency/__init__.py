"""Structured asynchronous work on Twisted: tasks with owners, events, clocks, queues, threads."""
