"""Holes and durable files."""
