"""What a session is asked to generate, and how far it is."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

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
class GenerateRequest:
    """How to decode; `stop` tokens end the output and are not part of it, nor are thoughts.

    temperature 0 is greedy. The n-th draw depends on the logits, `seed` and n alone.
    """

    max_tokens: int
    stop: frozenset[int] = frozenset()
    constraint: Constraint | None = None
    temperature: float = 0.0
    seed: int = 0
    thought: Thought | None = None

    def __post_init__(self) -> None:
        if self.max_tokens < 1:
            raise ConfigError(f"max_tokens={self.max_tokens} is not valid: use 1 or more.")
        if not self.temperature >= 0:  # NaN neither
            raise ConfigError(f"temperature={self.temperature} is not valid: use 0 or more.")


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

    @property
    def num_drawn(self) -> int:
        return len(self.token_ids) + len(self.thought_ids)

    @property
    def constraint(self) -> Constraint | None:
        """The grammar of the next token; thoughts have none."""
        return None if self.is_thinking else self.request.constraint

    def accept(self, token_id: int) -> Sequence[int]:
        """Take the next sampled token; returns the tokens that the text goes on with."""
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
