"""Publishes the talk at its pace: every utterance when it ends, to every stream at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from worker.demo.state import DemoState, Published
from worker.demo.talk import Utterance

MAX_AT_ONCE = 16
"""Utterances in one call of `publish_due`: at full speed too, the screen must not stand still."""

Publish = Callable[[str, dict[str, str]], str]
"""Adds fields to a stream and returns the id of the entry."""


class Feed:
    """`publish_first`, and when its answer is there `publish_due`, again and again."""

    def __init__(self, publish: Publish, talk: Sequence[Utterance], speed: float):
        """speed: times real time; infinite: everything is due at once."""
        self._publish = publish
        self._talk = talk
        self._speed = speed
        self._num_published = 0
        self._paced_from = 0.0

    @property
    def is_finished(self) -> bool:
        return self._num_published == len(self._talk)

    def publish_first(self, state: DemoState, now: float) -> None:
        """The first utterance alone: a worker that answers it is ready for the rest."""
        self._publish_next(state, now)

    def start_pace(self, state: DemoState, now: float) -> None:
        """The first utterance has just ended, whenever it was published."""
        self._paced_from = now - self._talk[0].end / self._speed
        state.started_at = self._paced_from

    def publish_due(self, state: DemoState, now: float) -> None:
        """What is due at `now` (monotonic seconds) and not yet published, some of it at a time."""
        for _ in range(MAX_AT_ONCE):
            if self.is_finished or now < self._due(self._talk[self._num_published]):
                return
            self._publish_next(state, now)

    def _due(self, utterance: Utterance) -> float:
        return self._paced_from + utterance.end / self._speed

    def _publish_next(self, state: DemoState, now: float) -> None:
        utterance = self._talk[self._num_published]
        for stream in state.streams:
            entry_id = self._publish(stream, utterance.fields)
            state.add_published(Published(stream, entry_id, at=now, end=utterance.end))
        self._num_published += 1
