"""A transcript as a file: text, Markdown, captions, JSON."""
