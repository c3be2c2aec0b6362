"""Engines, without their tools."""
