"""Ways to make and change an operating system."""
