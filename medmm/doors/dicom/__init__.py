"""The way in for a PACS or scanner: DICOM associations, and a spool that survives a crash."""
