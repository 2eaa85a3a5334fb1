"""NIfTI files, alone or as the folder of a task."""
