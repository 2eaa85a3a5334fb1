"""What the networks for chest films are worth."""
