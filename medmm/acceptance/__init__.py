"""Labelled studies and what a model reads of them, to what it was measured to do."""
