"""Pushing stored target images to providers."""
