"""Signed reports as DICOM: structured report, segmentations, key objects, page as PDF.

Every object is made anew from the report alone, with the same UIDs and the same times.
"""
