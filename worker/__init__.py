"""Weir's stream worker: Redis streams in, rolling transcripts and summaries out."""
