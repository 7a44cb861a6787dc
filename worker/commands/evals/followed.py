"""A talk read by a whole worker: what its stream's keys had when so much of it had been said.

The real pipeline on an embedded server of its own, so that what is measured is what a reader sees:
settled, restored, summarised and noted. All is there to be read at once, and no clock makes a
summary due: the same talk gives the same summaries.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

from redis import Redis

from worker.commands.evals.talks import Talk
from worker.formats.noted import present
from worker.intake.feed import Line, line_text
from worker.keyspace.connection import connect
from worker.keyspace.embedded import EmbeddedServer
from worker.keyspace.follow import Follower
from worker.keyspace.keys import StreamKeys, stream_keys
from worker.keyspace.publisher import Publisher
from worker.pipeline import Pipeline
from worker.settings.config import Settings
from worker.watch.metrics import Metrics
from worker.watch.steady_registry import SteadyRegistry

AT_ONCE = 64
NEVER = 1e9  # seconds
END = {"end_of_stream": "1"}


@dataclass(frozen=True)
class Stage:
    """When a summary came: lines of the transcript that it had seen, its text, the notes."""

    num_lines: int
    summary: str
    notes: tuple[str, ...]


@dataclass
class Followed:
    """What one talk has become."""

    lines: list[Line] = field(default_factory=list)
    stages: list[Stage] = field(default_factory=list)
    changes: list[dict[str, str]] = field(default_factory=list)  # of notes

    def take(self, keys: StreamKeys, key: str, fields: dict[str, str]) -> None:
        if key == keys.transcript:
            text, speaker = line_text(fields), fields.get("speaker", "")
            self.lines.append(Line(fields["entry"], [0], text, speaker))
        elif key == keys.notes:
            self.changes.append(fields)
        else:
            seen = [n for n, line in enumerate(self.lines, 1) if line.entry == fields["last"]]
            standing = [note for note in present(self.changes) if note.status == "open"]
            notes = tuple(note.text for note in standing)
            self.stages.append(Stage(max(seen, default=0), fields["text"], notes))

    @property
    def num_cited(self) -> tuple[int, int]:
        """Citations of entries that the transcript has, of how many."""
        known = {line.entry for line in self.lines}
        cites = [cite for fields in self.changes for cite in fields.get("cites", "").split()]
        return sum(cite in known for cite in cites), len(cites)


class Reader:
    """One worker for all talks, one after the other."""

    def __init__(self, pipeline: Pipeline, redis: Redis):
        self._pipeline, self._redis = pipeline, redis
        self._names = (f"talk:{number}" for number in count(1))

    def follow(self, talk: Talk) -> Followed:
        stream, followed = next(self._names), Followed()
        keys, publisher = stream_keys(stream), Publisher(self._redis, stream)
        entries = [*talk.entries, END]
        for at in range(0, len(entries), AT_ONCE):
            publisher.publish(entries[at : at + AT_ONCE])
        watched = [keys.transcript, keys.notes, keys.summary]
        follower = Follower(self._redis, watched, from_start=True)
        self._pipeline.adopt(stream)
        is_there = True
        while is_there:  # what one commit has published is read before the next
            self._pipeline.run_once()
            is_there = stream in self._pipeline.owned.streams
            for key, fields in follower.read(block_seconds=0):
                followed.take(keys, key, fields)
        return followed


@contextmanager
def reader(settings: Settings) -> Iterator[Reader]:
    """Raises what `Pipeline.open` does, and EmbeddedServerError."""
    with TemporaryDirectory(prefix="weir-eval-") as folder, EmbeddedServer() as server:
        ours = {
            "redis_url": server.url,
            "redis_password": None,
            "snapshot_dir": Path(folder),
            "summary_seconds": NEVER,
        }
        settings = settings.model_copy(update=ours)
        pipeline = Pipeline.open(settings, Metrics(SteadyRegistry()))
        with connect(settings) as redis:
            yield Reader(pipeline, redis)
        pipeline.close(0.0)
