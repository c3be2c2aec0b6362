"""This process itself: its heap, descriptors, priority."""
