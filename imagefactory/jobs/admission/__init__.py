"""Requests: checked, stored, turned into jobs."""
