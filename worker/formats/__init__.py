"""Files of speech: what a file holds as entries of a stream, and a transcript as a file again.

Pure: bytes and entries in, entries and text out. No Redis, no engine.
"""
