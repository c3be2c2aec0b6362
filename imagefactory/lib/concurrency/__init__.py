"""Small things for structured asynchronous work: no image words in here, each tested alone."""
