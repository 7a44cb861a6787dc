"""Notes of a stream: items that cite what was said, added, revised and resolved step by step."""
