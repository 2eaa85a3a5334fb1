"""The HTTP API: the assistant's verbs for programs, with tokens of the site's provider."""
