"""What the file system offers: holes, shared blocks, files that survive a power cut."""
