"""The ways in for files: a folder that is watched, archives, and media with a DICOMDIR."""
