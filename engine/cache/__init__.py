"""The method as a cache for transformers' own `generate`, for who needs neither streams nor steps.

It shares the attention and the memory, and knows no engine.
"""
