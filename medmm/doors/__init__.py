"""Ways in: the command line and the pages it prints. Doors know the assistant alone."""
