"""Sentences of what was said, and which of them say most."""
