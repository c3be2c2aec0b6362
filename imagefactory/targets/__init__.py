"""One room per cloud: what the image needs there, which file it wants, how it is pushed."""
