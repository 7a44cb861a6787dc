"""What a session is asked to generate, and how far it is."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from math import inf
from typing import Protocol, runtime_checkable

from engine.errors import ConfigError


@dataclass(frozen=True)
class Only:
    """These tokens may come next, and no others."""

    ids: Collection[int]


@dataclass(frozen=True)
class AllBut:
    """Any token may come next that is not one of these."""

    ids: Collection[int]


class Constraint(Protocol):
    """The grammar of one generation; it remembers what it has accepted."""

    def allowed(self) -> Only | AllBut:
        """What may come next: at least one token that there is while not `is_complete`."""

    def accept(self, token_id: int) -> None:
        """`token_id` came next."""

    @property
    def is_complete(self) -> bool:
        """No further token is wanted: the generation ends."""


@runtime_checkable
class Watching(Constraint, Protocol):
    """One that is told what it has prevented."""

    def refused(self, token_id: int) -> None:
        """The model would rather have gone on with `token_id`; said before `accept`."""


@dataclass(frozen=True)
class Thought:
    """How a model's thoughts are kept apart from its answer.

    begins      whether the prompt ends inside a thought
    opening     the token that begins one in the middle of an answer
    ending      what ends it, its first token being the mark that a model ends it with itself
    max_tokens  after so many it is ended for the model
    """

    begins: bool
    opening: int
    ending: tuple[int, ...]
    max_tokens: int


@dataclass(frozen=True)
class Sampling:
    """How the next token is drawn.

    temperature         0: the likeliest is taken, and nothing below matters but the penalty
    top_k               only so many of the likeliest can be drawn; 0: all
    top_p               only the likeliest that make up this probability together
    min_p               only those at least so likely, as a share of the likeliest
    repetition_penalty  above 1: what the answer has said already becomes less likely (Keskar et al.
                        2019, section 4.1, arXiv 1909.05858)
    """

    temperature: float = 0.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    repetition_penalty: float = 1.0

    def __post_init__(self) -> None:
        # Not one of these is true of NaN.
        self._require(0 <= self.temperature < inf, "temperature", "0 or more")
        self._require(self.top_k >= 0, "top_k", "0 (all) or more")
        self._require(0 < self.top_p <= 1, "top_p", "more than 0, at most 1")
        self._require(0 <= self.min_p <= 1, "min_p", "0 to 1")
        self._require(0 < self.repetition_penalty < inf, "repetition_penalty", "more than 0")

    def _require(self, is_valid: bool, name: str, valid: str) -> None:
        if not is_valid:
            raise ConfigError(f"{name}={getattr(self, name)} is not valid: use {valid}.")

    @property
    def is_greedy(self) -> bool:
        return self.temperature == 0


GREEDY = Sampling()


@dataclass(frozen=True)
class GenerateRequest:
    """How to decode; `stop` tokens end the output and are not part of it, nor are thoughts.

    The n-th draw depends on the logits, what was said before, `seed` and n alone.
    """

    max_tokens: int
    stop: frozenset[int] = frozenset()
    constraint: Constraint | None = None
    sampling: Sampling = GREEDY
    seed: int = 0
    thought: Thought | None = None

    def __post_init__(self) -> None:
        if self.max_tokens < 1:
            raise ConfigError(f"max_tokens={self.max_tokens} is not valid: use 1 or more.")


class Generation:
    """One running or finished generation: `finish_reason` is None while it runs.

    token_ids  the answer so far
    thought_ids  what was thought before it, or in between
    """

    def __init__(self, request: GenerateRequest) -> None:
        self.request = request
        self.token_ids: list[int] = []
        self.thought_ids: list[int] = []
        self.finish_reason: str | None = None
        self.is_thinking = request.thought is not None and request.thought.begins
        self._allowed: Only | AllBut | None = None

    @property
    def num_drawn(self) -> int:
        return len(self.token_ids) + len(self.thought_ids)

    @property
    def constraint(self) -> Constraint | None:
        """The grammar of the next token; thoughts have none."""
        return None if self.is_thinking else self.request.constraint

    def allowed(self) -> Only | AllBut | None:
        """What may come next, None if anything may. The grammar is asked once for each token."""
        if self._allowed is None and self.constraint is not None:
            self._allowed = self.constraint.allowed()
        return self._allowed

    def accept(self, token_id: int) -> Sequence[int]:
        """Take the next sampled token; returns the tokens that the text goes on with.

        Where the grammar leaves one token only, it follows without being sampled, and so do those
        after it: they are computed together, as any text that is fed.
        """
        text = [*self._accept(token_id)]
        while (forced := self._forced()) is not None:
            text += self._accept(forced)
        return text

    def _forced(self) -> int | None:
        allowed = self.allowed() if self.finish_reason is None else None
        if not isinstance(allowed, Only) or len(allowed.ids) != 1:
            return None
        return int(next(iter(allowed.ids)))

    def _accept(self, token_id: int) -> Sequence[int]:
        self._allowed = None
        thought = self.request.thought
        if thought is not None and (self.is_thinking or token_id == thought.opening):
            return self._think(token_id, thought)
        if token_id in self.request.stop:
            self.finish_reason = "stop"
            return ()
        self.token_ids.append(token_id)
        constraint = self.request.constraint
        if constraint is not None:
            constraint.accept(token_id)
        if constraint is not None and constraint.is_complete:
            self.finish_reason = "constraint"
        elif len(self.token_ids) >= self.request.max_tokens:
            self.finish_reason = "length"
        return (token_id,)

    def _think(self, token_id: int, thought: Thought) -> Sequence[int]:
        """A thought that ends, by its mark, with the text or because it is too long, is followed
        by all that stands before an answer."""
        is_at_its_end = token_id == thought.ending[0] or token_id in self.request.stop
        if not is_at_its_end:
            self.thought_ids.append(token_id)
        self.is_thinking = not is_at_its_end and len(self.thought_ids) < thought.max_tokens
        if self.is_thinking:
            return (token_id,)
        return thought.ending if is_at_its_end else (token_id, *thought.ending)
