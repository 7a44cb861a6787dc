"""Text that must follow a grammar: which tokens may come next, by llguidance.

The constraint never raises inside a step, where an exception would be everybody's: should the
grammar engine fail, the decode ends, and the text is shorter than the grammar asks for.
"""

from __future__ import annotations

from functools import lru_cache

import llguidance.hf
import numpy as np
from llguidance import LLMatcher, LLTokenizer

from engine.errors import GrammarError
from engine.schedule.generation import Only
from engine.text.tokenizer import Tokenizer


class Grammars:
    """Makes constraints for one tokenizer."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = _tables_of(tokenizer)
        self._vocab_size = tokenizer.vocab_size

    def regex(self, pattern: str) -> GrammarConstraint:
        """The whole text must match `pattern`. GrammarError: it is none, or too large."""
        matcher = LLMatcher(self._tokenizer, LLMatcher.grammar_from_regex(pattern))
        if matcher.is_error():
            raise GrammarError(f"The grammar engine stopped: {matcher.get_error()}")
        return GrammarConstraint(matcher, self._vocab_size)


@lru_cache(maxsize=4)
def _tables_of(tokenizer: Tokenizer) -> LLTokenizer:
    """Made once: it takes a tenth of a second for a small vocabulary, seconds for a large one."""
    return llguidance.hf.from_tokenizer(tokenizer.hf)


class GrammarConstraint:
    """One generation's grammar; an engine.Constraint."""

    def __init__(self, matcher: LLMatcher, vocab_size: int) -> None:
        self._matcher = matcher
        self._vocab_size = vocab_size

    def allowed(self) -> Only:
        packed = np.frombuffer(self._matcher.compute_bitmask(), dtype=np.uint8)
        if self._matcher.is_error():
            return Only(range(self._vocab_size))  # complete with the next token
        bits = np.unpackbits(packed, bitorder="little", count=self._vocab_size)
        return Only(np.flatnonzero(bits).tolist())

    def accept(self, token_id: int) -> None:
        self._matcher.consume_token(token_id)

    @property
    def is_complete(self) -> bool:
        return bool(self._matcher.is_stopped() or self._matcher.is_error())
