"""Weights folders: which are known, what they may hold, how a network is opened."""
