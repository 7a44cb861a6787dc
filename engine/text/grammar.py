"""Text that must follow a grammar: which tokens may come next, by llguidance.

The constraint never raises inside a step, where an exception would be everybody's: should the
grammar engine fail, the decode ends, and the text is shorter than the grammar asks for.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache
from typing import cast

import llguidance.hf
import numpy as np
from llguidance import LLMatcher, LLTokenizer

from engine.errors import GrammarError
from engine.schedule.generation import Only
from engine.text.tokenizer import Tokenizer

MIN_FREE = 64  # tokens that may come next; the names of keys and kinds are fewer


class Grammars:
    """Makes constraints for one tokenizer."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = _tables_of(tokenizer)
        self._vocab_size = tokenizer.vocab_size

    def regex(self, pattern: str) -> GrammarConstraint:
        """The whole text must match `pattern`. GrammarError: it is none, or too large."""
        return self._constraint(LLMatcher.grammar_from_regex(pattern))

    def lark(self, grammar: str) -> GrammarConstraint:
        """The whole text must follow `grammar`, in llguidance's dialect of Lark. GrammarError."""
        return self._constraint(LLMatcher.grammar_from_lark(grammar))

    def _constraint(self, grammar: str) -> GrammarConstraint:
        matcher = LLMatcher(self._tokenizer, grammar, log_level=0)
        if matcher.is_error():
            raise GrammarError(f"The grammar engine stopped: {matcher.get_error()}")
        return GrammarConstraint(matcher, self._vocab_size)


@lru_cache(maxsize=4)
def _tables_of(tokenizer: Tokenizer) -> LLTokenizer:
    """Made once: it takes a tenth of a second for a small vocabulary, seconds for a large one."""
    return llguidance.hf.from_tokenizer(tokenizer.hf)


class GrammarConstraint:
    """One generation's grammar; an engine.Constraint.

    refused_ids: what the model would rather have said where the grammar left it free to say much;
    where it has no choice but the form, its wishes say nothing.
    """

    def __init__(self, matcher: LLMatcher, vocab_size: int) -> None:
        self.refused_ids: list[int] = []
        self._matcher = matcher
        self._vocab_size = vocab_size
        self._num_allowed = 0

    def allowed(self) -> Only:
        """One token where only one text is left, of all that begin it the one that a tokenizer
        would write there."""
        if forced := self._matcher.compute_ff_tokens():
            self._num_allowed = 1
            return Only(forced[:1])
        packed = np.frombuffer(self._matcher.compute_bitmask(), dtype=np.uint8)
        if self._matcher.is_error():
            return Only(range(self._vocab_size))  # complete with the next token
        bits = np.unpackbits(packed, bitorder="little", count=self._vocab_size)
        ids = np.flatnonzero(bits)
        self._num_allowed = len(ids)
        return Only(cast("Collection[int]", ids))

    def refused(self, token_id: int) -> None:
        if self._num_allowed >= MIN_FREE:
            self.refused_ids.append(token_id)

    def accept(self, token_id: int) -> None:
        self._matcher.consume_token(token_id)

    @property
    def is_complete(self) -> bool:
        return bool(self._matcher.is_stopped() or self._matcher.is_error())
