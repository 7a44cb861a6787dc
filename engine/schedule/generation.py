"""What a session is asked to generate, and how far it is."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
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
class GenerateRequest:
    """How to decode; `stop` tokens end the output and are not part of it.

    temperature 0 is greedy. The n-th draw depends on the logits, `seed` and n alone.
    """

    max_tokens: int
    stop: frozenset[int] = frozenset()
    constraint: Constraint | None = None
    temperature: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.max_tokens < 1:
            raise ConfigError(f"max_tokens={self.max_tokens} is not valid: use 1 or more.")
        if not self.temperature >= 0:  # NaN neither
            raise ConfigError(f"temperature={self.temperature} is not valid: use 0 or more.")


@dataclass
class Generation:
    """One running or finished generation: `finish_reason` is None while it runs."""

    request: GenerateRequest
    token_ids: list[int] = field(default_factory=list)
    finish_reason: str | None = None

    def accept(self, token_id: int) -> bool:
        """Take the next sampled token; True if it becomes part of the text."""
        if token_id in self.request.stop:
            self.finish_reason = "stop"
            return False
        self.token_ids.append(token_id)
        constraint = self.request.constraint
        if constraint is not None:
            constraint.accept(token_id)
        if constraint is not None and constraint.is_complete:
            self.finish_reason = "constraint"
        elif len(self.token_ids) >= self.request.max_tokens:
            self.finish_reason = "length"
        return True
