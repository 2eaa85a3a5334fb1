"""Honest tables: figures with intervals by patient, beside trivial baselines."""
