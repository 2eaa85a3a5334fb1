"""Cards of the shipped weights, written from `evaluation.json` alone."""
