"""Training of the language model for chest films."""
