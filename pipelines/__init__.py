"""Runnable programs: parse a configuration, call the library, show progress."""
