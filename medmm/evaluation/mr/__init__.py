"""What the networks for MR volumes are worth."""
