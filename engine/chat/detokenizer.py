"""Token ids to text while they come, in pieces that end with whole characters."""

from __future__ import annotations

from collections.abc import Sequence

from engine.text.tokenizer import Tokenizer

# What decoders write for bytes that are no character, or none yet.
REPLACEMENT = "\ufffd"


class Detokenizer:
    """All pieces together are the text of all tokens.

    Some tokens change with what precedes them, so the last piece's tokens are decoded again before
    the next: `_ids` are those of the last piece that had text, and all after it. One exception: a
    decoder with byte fallback (Llama 2) makes characters that are spelt in bytes unreadable if
    bytes follow that are none; what has been shown stays shown.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._ids: list[int] = []
        self._num_shown = 0  # of _ids

    def add(self, ids: Sequence[int]) -> str:
        """The text that has become certain; may be empty."""
        self._ids.extend(ids)
        text = self._new_text()
        if not text or text.endswith(REPLACEMENT):
            return ""
        del self._ids[: self._num_shown]
        self._num_shown = len(self._ids)
        return text

    def rest(self) -> str:
        """At the end: what was held back, half a character as U+FFFD."""
        text = self._new_text()
        self._num_shown = len(self._ids)
        return text

    def _new_text(self) -> str:
        shown = self._tokenizer.decode(self._ids[: self._num_shown])
        return self._tokenizer.decode(self._ids)[len(shown) :]
