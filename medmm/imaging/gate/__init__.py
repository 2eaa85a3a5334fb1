"""What may go on to a model, and with which warnings."""
