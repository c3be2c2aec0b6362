"""The content-addressed cache of stages."""
