"""Training of the networks for MR volumes."""
