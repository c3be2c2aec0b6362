"""Pure values and rules of the factory: nothing here does input or output, nothing here knows Twisted."""
