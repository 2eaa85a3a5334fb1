"""Plots and pictures that stand beside the figures."""
