"""The language model that writes from film and record together."""
