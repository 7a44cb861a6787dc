"""Weir's streaming engine: exact windowed attention over sinks and recent tokens."""
