"""The page of a signed report as PDF, with its fonts embedded."""
