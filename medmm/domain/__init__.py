"""The frozen nouns of medmm, its errors and its vocabulary. Depends on numpy alone."""
