"""MR slices to volumes, and the role of each series in its study."""
