"""What sinks are worth: one text, windows of the same size, of which more or less are sinks.

All of them read a chunk before any reads the next, so they can be compared whenever it ends. Only
tokens past the largest window count: before that nothing has left, and sinks are nothing special.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from torch import Tensor

from engine.bench.progress import stage
from engine.config import EngineConfig
from engine.errors import ConfigError
from engine.evals.reading import Mean, losses_of
from engine.evals.texts import Texts
from engine.model.load import load
from engine.model.lone_stream import LoneStream
from engine.model.model import StreamingModel
from engine.model.source import source_of
from engine.schedule.window import Window
from engine.text.tokenizer import Tokenizer


@dataclass(frozen=True)
class Choice:
    """Every one of `sinks` in windows of every one of `sizes` (sinks and recent tokens)."""

    config: EngineConfig
    texts: Texts
    sinks: Sequence[int]
    sizes: Sequence[int]
    max_tokens: int

    def __post_init__(self) -> None:
        if not self.sinks or min(self.sinks) < 0:
            raise ConfigError(f"sinks={list(self.sinks)} is not valid: use 0 or more.")
        if not self.sizes or min(self.sizes) <= max(self.sinks):
            raise ConfigError(
                f"windows={list(self.sizes)} is not valid: use more than {max(self.sinks)}, the "
                "sinks in them."
            )
        if self.max_tokens <= self.num_before + 1:
            raise ConfigError(
                f"max_tokens={self.max_tokens} is not valid: use more than {self.num_before + 1}, "
                "for only tokens past the largest window count."
            )

    @property
    def num_before(self) -> int:
        """Tokens that do not count."""
        return max(self.sizes)


@dataclass
class Sinks:
    """One number of sinks in one size of window; `chunk_losses` are means over chunks, in nats."""

    num_sinks: int
    size: int
    total: Mean = field(default_factory=Mean)
    chunk_losses: list[float] = field(default_factory=list)

    def add(self, losses: Tensor) -> None:
        self.total.add(losses)
        self.chunk_losses.append(float(losses.mean()))

    def gain_over(self, other: Sinks) -> tuple[float, float]:
        """Nats a token that are saved against `other`, which has read the same chunks; and the
        standard error of that, with chunks for independent samples."""
        pairs = zip(other.chunk_losses, self.chunk_losses, strict=True)
        gains = [theirs - ours for theirs, ours in pairs]
        mean = sum(gains) / len(gains)
        variance = sum((gain - mean) ** 2 for gain in gains) / max(1, len(gains) - 1)
        return mean, math.sqrt(variance / len(gains))


def run(choice: Choice, *, is_stopped: Callable[[], bool] = lambda: False) -> list[Sinks]:
    """Read the text, by size and by sinks; once `is_stopped`, what has been read counts.

    ConfigError names a file that cannot be read, or a text that ends within the largest window.
    """
    choice.texts.check()
    model = load(choice.config)
    tokenizer = Tokenizer.load(source_of(choice.config))
    results = [Sinks(num_sinks, size) for size in choice.sizes for num_sinks in choice.sinks]
    with stage("sinks", choice.max_tokens - 1) as advance:
        _read(choice, model, tokenizer, results, advance, is_stopped)
    if not results[0].total.count:
        raise ConfigError(f"The text has no token past the largest window of {choice.num_before}.")
    return results


def _read(
    choice: Choice,
    model: StreamingModel,
    tokenizer: Tokenizer,
    results: Sequence[Sinks],
    advance: Callable[[int], None],
    is_stopped: Callable[[], bool],
) -> None:
    windows = [Window(sinks.num_sinks, sinks.size - sinks.num_sinks) for sinks in results]
    streams = [LoneStream(model, window) for window in windows]
    num_read = 0
    for chunk in choice.texts.chunks(tokenizer, choice.max_tokens):
        num_early = max(0, choice.num_before - num_read)
        for stream, sinks in zip(streams, results, strict=True):
            losses = losses_of(stream.feed(chunk.inputs), chunk.targets)
            if num_early < len(losses):
                sinks.add(losses[num_early:])
        num_read += len(chunk.inputs)
        advance(len(chunk.inputs))
        if is_stopped():
            return
