"""Text to tokens and back, the chat template around it, and grammars that a text must follow.

It knows the tokenizer and no model.
"""
