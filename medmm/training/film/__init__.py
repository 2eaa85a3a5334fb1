"""Training of the networks for chest films."""
