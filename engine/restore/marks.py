"""What the encoder may say of a word. The order is that of the scores in the weights."""

from __future__ import annotations

MARKS = ("", ".", ",", "?", "!", ":", ";")
CASES = ("lower", "Capitalised", "UPPER")
SENTENCE_ENDS = ".?!"
