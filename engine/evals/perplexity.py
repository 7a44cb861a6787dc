"""The paper's comparison: the same text read by several policies, each for as long as it lasts."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from engine.bench.progress import stage
from engine.config import EngineConfig
from engine.errors import ConfigError
from engine.evals.picture import draw
from engine.evals.policies import POLICIES
from engine.evals.reading import Bucket, Limits, Reading, bytes_in_memory, read
from engine.evals.report import print_comparison
from engine.evals.texts import Texts
from engine.model.load import load
from engine.model.model import StreamingModel
from engine.model.source import source_of
from engine.schedule.window import Window
from engine.text.tokenizer import Tokenizer

Log = Callable[[str, Bucket], None]


@dataclass(frozen=True)
class Comparison:
    """What is compared: `policies` maps names to the tokens that each reads at most, in order."""

    config: EngineConfig
    texts: Texts
    policies: Mapping[str, int]
    max_seconds: float
    max_kv_bytes: float

    def __post_init__(self) -> None:
        unknown = [name for name in self.policies if name not in POLICIES]
        if unknown:
            raise ConfigError(f"policies={unknown} is not valid: use {', '.join(POLICIES)}.")
        for name, num_tokens in self.policies.items():
            if num_tokens < 2:
                raise ConfigError(f"max_tokens={num_tokens} of {name} is not valid: use 2 or more.")

    @property
    def window(self) -> Window:
        return Window(self.config.num_sinks, self.config.num_recent)

    def limits(self, policy: str) -> Limits:
        return Limits(self.policies[policy], self.max_seconds, self.max_kv_bytes)


def run(
    comparison: Comparison,
    *,
    picture: Path | None = None,
    log: Path | None = None,
    is_stopped: Callable[[], bool] = lambda: False,
) -> list[Reading]:
    """Read the text with each policy; print the comparison and, as the last line, a JSON object.

    `log` gets a line of JSON for each bucket when it is full, `picture` the curves at the end. Once
    `is_stopped`, policies that have not begun are left out, and what has been read counts.
    ConfigError names a file that cannot be read, or a text that is too short.
    """
    comparison.texts.check()
    model = load(comparison.config)
    tokenizer = Tokenizer.load(source_of(comparison.config))
    with _logging_to(log) as write:
        readings = [
            _read(comparison, policy, model, tokenizer, write, is_stopped)
            for policy in comparison.policies
            if not is_stopped()
        ]
    if readings and picture is not None:
        draw(readings, comparison.window.size, picture)
    if readings:
        print_comparison(readings, comparison.config, comparison.texts)
    return readings


def _read(
    comparison: Comparison,
    policy: str,
    model: StreamingModel,
    tokenizer: Tokenizer,
    write: Log,
    is_stopped: Callable[[], bool],
) -> Reading:
    limits = comparison.limits(policy)
    reading = Reading(policy)
    steps = read(
        reading,
        POLICIES[policy](model, comparison.window),
        comparison.texts.chunks(tokenizer, limits.num_tokens),
        limits,
        resident_bytes=partial(bytes_in_memory, model.device),
        is_stopped=is_stopped,
    )
    with stage(policy, limits.num_tokens - 1) as advance:
        num_before = 0
        for filled in steps:
            advance(reading.total.count - num_before)
            num_before = reading.total.count
            for bucket in filled:
                write(policy, bucket)
    return reading


@contextmanager
def _logging_to(path: Path | None) -> Iterator[Log]:
    """Lines are on disk as soon as they are written: a long run can be looked at and cut off."""
    if path is None:
        yield lambda policy, bucket: None
        return
    with path.open("w", encoding="utf-8", buffering=1) as file:
        yield lambda policy, bucket: print(
            json.dumps({"policy": policy, **asdict(bucket)}), file=file
        )
