"""Stages: keys, the content-addressed cache, and what is done inside the guest."""
