"""What any daemon could use: nothing in here knows of images."""
