"""Virtual machines: which acceleration works, and the proof that an image boots."""
