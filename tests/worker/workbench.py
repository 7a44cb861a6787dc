"""A worker without its process: the real pipeline, engine and server, one round at a time."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path

from prometheus_client import CollectorRegistry
from redis import Redis
from redis.exceptions import RedisError

from engine import Desk, Engine, EngineConfig, Tokenizer
from engine.memory.formats import format_of
from engine.model.load import load_weights
from engine.model.model import StreamingModel
from engine.model.source import source_of
from worker.keyspace.connection import connect, connect_blocking
from worker.keyspace.keys import StreamKeys, stream_keys
from worker.keyspace.source import Source
from worker.keyspace.trouble import is_passing
from worker.pipeline import Pipeline
from worker.settings.config import Settings
from worker.stream.kit import Kit, engine_config
from worker.stream.live_stream import LiveStream
from worker.watch.metrics import Metrics

STREAM = "live:standup"
KEYS = stream_keys(STREAM)
MAX_ROUNDS = 3000
PATIENCE_SECONDS = 30.0
END_SECONDS = 45.0

WORDS = [
    "the",
    "gate",
    "at",
    "carrow",
    "bridge",
    "sticks",
    "when",
    "water",
    "comes",
    "down",
    "from",
    "cold",
    "ashby",
]


class SeamRestorer:
    """What a restorer does for nobody in particular; this one needs no model and no thread."""

    def wants(self, text: str, _lang: str | None) -> bool:
        return text.islower()

    def wait(self, seconds: float) -> None:
        """It has nothing to do that could be waited for."""

    def close(self) -> None:
        """It holds nothing."""


@dataclass
class HeldRestorer(SeamRestorer):
    """Capitals for raw text, but none while `is_held`: an entry is then still being written."""

    is_held: bool = False

    def begin(self, text: str, **_around: object) -> HeldRestoration:
        return HeldRestoration(self, text)

    def wait(self, _seconds: float) -> None:
        """What is held is not waited for."""

    def close(self) -> None:
        """It holds nothing."""


@dataclass
class HeldRestoration:
    restorer: HeldRestorer
    text: str

    def advance(self) -> str | None:
        return None if self.restorer.is_held else self.text.upper()

    def close(self) -> None:
        """It holds nothing."""


class Workbench:
    """One worker's pipeline on a clock of its own: time passes when a test says so."""

    number = itertools.count()

    def __init__(self, settings: Settings, *, restorer: HeldRestorer | None = None):
        """restorer: in place of the kit's own."""
        self.now = 0.0
        self.metrics = Metrics(CollectorRegistry())
        kit = Kit.make(make_engine(settings), settings, self.metrics, clock=lambda: self.now)
        if kit.restorer:  # rounds are counted here: one in which there is nothing else to do waits
            kit.restorer.wait = partial(_patiently, kit.restorer.desk)
        if restorer:
            kit = replace(kit, restorer=restorer)  # type: ignore[arg-type]
        self.engine = kit.engine
        source = Source(connect_blocking(settings, 0.01), settings.entry_limits)
        owner = f"worker {next(self.number)}"
        self.pipeline = Pipeline(kit, connect(settings), source, owner=owner)

    @classmethod
    def owning(cls, settings: Settings, *, restorer: HeldRestorer | None = None) -> Workbench:
        """A worker that owns STREAM and has done what there is to do."""
        bench = cls(settings, restorer=restorer)
        bench.pipeline.adopt(STREAM)
        bench.run_until_idle()
        return bench

    @property
    def streams(self) -> Mapping[str, LiveStream]:
        return self.pipeline.owned.streams

    def run(
        self, num_rounds: int = MAX_ROUNDS, *, until: Callable[[], bool] = lambda: False
    ) -> None:
        for _ in range(num_rounds):
            if until():
                return
            self.pipeline.run_once()
            self.check()
        assert num_rounds < MAX_ROUNDS, "it does not end"

    def run_in_trouble(self, num_rounds: int) -> int:
        """Rounds while the server may refuse things, as the engine's thread makes them; how many
        of them it refused."""
        num_refused = 0
        for _ in range(num_rounds):
            self.now += 1.0
            try:
                self.pipeline.run_once()
            except RedisError as error:
                assert is_passing(error), error
                num_refused += 1
            self.check()
        return num_refused

    def run_to_end(self, stream: str = STREAM) -> None:
        """Adopts the stream and runs until it is closed."""
        self.pipeline.adopt(stream)
        self.pipeline.run_once()
        self.run(until=lambda: stream not in self.streams)

    def run_until_quiet(self) -> None:
        """Until every stream is read, summarised and committed."""
        self.run(until=lambda: all(stream.is_quiet for stream in self.streams.values()))

    def run_until_idle(self) -> None:
        """Until no stream has anything to do but wait for text or for the clock."""
        self.run(3)
        self.run(
            until=lambda: (
                not self.engine.has_work
                and all(stream.is_silent for stream in self.streams.values())
            )
        )

    def check(self) -> None:
        """What must hold after every round, whatever happens."""
        self.engine.check_integrity()
        for stream in self.streams.values():
            stream.feed.check_integrity()
            stream.check_coverage()


def _patiently(desk: Desk, _seconds: float) -> None:
    desk.wait(PATIENCE_SECONDS)


@cache
def _load(config: EngineConfig) -> tuple[StreamingModel, Tokenizer]:
    """Of the bundled model the first layer alone: what is written is worse, who waits for whom and
    what is kept is the same. Whole it runs in tests/system."""
    hf = load_weights(config)
    if config.model == "bundled":
        hf.model.layers = hf.model.layers[:1]
        hf.config.num_hidden_layers = 1
    model = StreamingModel(hf, format_of(config.dtype))
    model.pack()
    return model, Tokenizer.load(source_of(config))


def make_engine(settings: Settings) -> Engine:
    """Engines share the weights: only their rows are their own."""
    return Engine(engine_config(settings), *_load(EngineConfig(model=settings.model)))


def settings_for(redis_url: str, folder: Path, **changes: object) -> Settings:
    """A small window and short summaries, so that little text makes everything happen."""
    small = {
        "redis_url": redis_url,
        "metrics_port": 0,
        "num_recent": 156,
        "num_rows": 8,
        "max_chunk": 32,
        "summary_tokens": 60,
        "summary_max_tokens": 12,
        "summary_style": "free",  # what a model writes takes rows and rounds, quotes take neither
        "block_seconds": 0.01,
        "hold_seconds": 0.0,  # time passes only when a test says so
        "snapshot_dir": folder,
    }
    return Settings(**(small | changes))  # type: ignore[arg-type]


def is_closed(redis: Redis) -> bool:
    """Whether the end of STREAM is committed."""
    return redis.hget(KEYS.state, "status") == b"closed"


def sentence(number: int, *, raw: bool = False) -> str:
    """Text that differs from number to number, of a length that does too."""
    words = [*WORDS[number % 5 :], *WORDS[: number % 7], str(number)]
    text = " ".join(words)
    return text if raw else f"{text.capitalize()}."


def publish(redis: Redis, num_entries: int, stream: str = STREAM, *, end: bool = True) -> list[str]:
    """Entries of three speakers, every fourth one raw; returns the ids, the end's last."""
    ids = [
        redis.xadd(
            stream,
            {"text": sentence(n, raw=n % 4 == 3), "speaker": ("Ann", "Bo", "Cy")[n % 3]},
        )
        for n in range(num_entries)
    ]
    if end:
        ids.append(redis.xadd(stream, {"end_of_stream": "1"}))
    return [entry_id.decode() for entry_id in ids]


def outputs(redis_text: Redis, key: str) -> list[dict[str, str]]:
    return [fields for _, fields in redis_text.xrange(key)]


def column(entries: Iterable[Mapping[str, str]], name: str) -> list[str]:
    return [entry[name] for entry in entries]


def assert_tiled(summaries: list[dict[str, str]], ids: list[str]) -> None:
    """The ranges that the summaries cover follow each other from the first entry to the last.

    Two neighbours share an entry at most: one that is longer than the room there was.
    """
    order = {entry_id: index for index, entry_id in enumerate(ids)}
    covering = [s for s in summaries if s["tokens"] != "0"]
    assert covering[0]["first"] == ids[0]
    assert covering[-1]["last"] == ids[-1]
    for one, other in itertools.pairwise(covering):
        assert order[other["first"]] - order[one["last"]] in (0, 1)


__all__ = [
    "KEYS",
    "STREAM",
    "HeldRestorer",
    "StreamKeys",
    "Workbench",
    "assert_tiled",
    "column",
    "outputs",
    "publish",
    "sentence",
    "settings_for",
]
