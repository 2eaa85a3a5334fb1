"""The dashboard: a presenter decides what to show, the page shows it."""
