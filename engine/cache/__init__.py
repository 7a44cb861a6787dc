"""The window as a cache for transformers' own `generate`, without the engine around it.

It shares the attention and the memory, and knows no engine.
"""
