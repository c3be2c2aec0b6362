"""One module per cloud: what an image needs inside, its file format, how it is pushed and deleted."""
