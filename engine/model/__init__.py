"""A transformers model that streams: how it is loaded, probed, refused, checked and run.

The only room, with `attention` (the hook) and `text` (the tokenizer), that knows transformers.
"""
