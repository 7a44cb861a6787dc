"""Keys and values as they are kept: one tensor a layer, its number format, and the turning of keys.

Tensors and nothing else: it knows no session, no schedule and no model.
"""
