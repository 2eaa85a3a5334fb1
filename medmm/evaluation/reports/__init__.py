"""What drafted report text is worth."""
