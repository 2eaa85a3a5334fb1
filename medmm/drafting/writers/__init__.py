"""Writers: by rules, and in the words of a language model."""
