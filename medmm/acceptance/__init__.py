"""Labelled studies and what a model reads of them, to what it was measured to do."""

from medmm.acceptance.distributions import SeenStudy
from medmm.acceptance.drift import drifted
from medmm.acceptance.labels import LabelledStudy, LabelTable, read_labels
from medmm.acceptance.measuring import measured
from medmm.acceptance.report_labels import SignedText, labels_of_reports
from medmm.acceptance.scores import ReadStudy

__all__ = [
    "LabelTable",
    "LabelledStudy",
    "ReadStudy",
    "SeenStudy",
    "SignedText",
    "drifted",
    "labels_of_reports",
    "measured",
    "read_labels",
]
