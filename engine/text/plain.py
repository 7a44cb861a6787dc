"""Text to tokens as people mean it: nothing that somebody writes becomes a control token.

A tokenizer holds added tokens, special or not ("<|im_start|>", "</tool_call>", "<think>"), and
finds them in any text before it looks at letters. Here they are taken out of it. Runs of white
space stay: some tokenizers (Gemma, GPT-NeoX) hold those as added tokens too, and they command
nothing.
"""

from __future__ import annotations

import json
import re

from tokenizers import Tokenizer as Backend
from transformers import PreTrainedTokenizerFast


class PlainText:
    """The letters' own encoding; `control_ids` never come out of it."""

    def __init__(self, hf: PreTrainedTokenizerFast) -> None:
        added = {id: token.content for id, token in hf.added_tokens_decoder.items()}
        controls = {id: content for id, content in added.items() if content.strip("▁ \t\r\n")}
        self.control_ids = frozenset(controls)
        self._backend = _without(hf.backend_tokenizer, self.control_ids)
        # Longest first: "<|end|>" before "<|".
        self._contents = sorted(controls.values(), key=len, reverse=True)

    def encode(self, text: str) -> list[int]:
        ids: list[int] = self._backend.encode(text, add_special_tokens=False).ids
        if self.control_ids.isdisjoint(ids):
            return ids
        return [id for part in self._apart(text) for id in self._tame(part)]

    def _apart(self, text: str) -> list[str]:
        """In a vocabulary whose ordinary pieces can be control tokens as well, each of these is
        cut after its first letter."""
        pattern = "|".join(map(re.escape, self._contents))
        ends = [match.start() + 1 for match in re.finditer(pattern, text)]
        return [text[a:b] for a, b in zip([0, *ends], [*ends, len(text)], strict=True)]

    def _tame(self, part: str) -> list[int]:
        """Letter by letter if all else fails: a normaliser can make a control token of anything."""
        ids: list[int] = self._backend.encode(part, add_special_tokens=False).ids
        if self.control_ids.isdisjoint(ids):
            return ids
        letters = [self._backend.encode(char, add_special_tokens=False).ids for char in part]
        return [id for ids in letters for id in ids if id not in self.control_ids]


def _without(backend: Backend, ids: frozenset[int]) -> Backend:
    """A copy that reads over these added tokens, and neither cuts nor pads what it is given."""
    state = json.loads(backend.to_str())
    for token in state["added_tokens"]:
        token["special"] = token["id"] in ids
    copy = Backend.from_str(json.dumps(state | {"truncation": None, "padding": None}))
    copy.encode_special_tokens = True  # special ones are then letters like any other
    return copy
