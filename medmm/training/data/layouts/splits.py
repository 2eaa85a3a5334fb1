"""Splits by patient, for sets that state none."""

from __future__ import annotations

import hashlib

from medmm.training.data.layouts.reported_film import Split

TRAIN, VAL = 0.7, 0.1  # the rest is test


def split_of(patient: str) -> Split:
    """Draw a patient's split by the SHA-1 of the key: 70% train, 10% val, 20% test.

    It is the same on every machine.
    """
    place = _place(patient)
    return "train" if place < TRAIN else "val" if place < TRAIN + VAL else "test"


def learning_split_of(patient: str) -> Split:
    """Draw a split where the set's own list has taken the test films: 7/8 train, 1/8 val."""
    return "train" if _place(patient) < TRAIN / (TRAIN + VAL) else "val"


def _place(patient: str) -> float:
    """Map a patient to a number from 0 up to 1, evenly."""
    return (
        int.from_bytes(hashlib.sha1(patient.encode(), usedforsecurity=False).digest()[:6]) / 2**48
    )
