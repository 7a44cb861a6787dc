"""Publishes the talk at its pace: every utterance when it ends, to every stream at once."""

from __future__ import annotations

from collections.abc import Sequence

from worker.demo.talk import Utterance
from worker.keyspace.publisher import Publisher

MAX_AT_ONCE = 16
"""Utterances in one call of `publish_due`: at full speed too, the screen must not stand still."""


class Feed:
    """`publish_first`, and when it has been answered `publish_due`, again and again."""

    def __init__(self, publishers: Sequence[Publisher], talk: Sequence[Utterance], speed: float):
        """publishers: one for each stream. speed: times real time; infinite: all is due at once."""
        self._publishers = publishers
        self._talk = talk
        self._speed = speed
        self._num_published = 0
        self._paced_from = 0.0

    def publish_first(self) -> None:
        """The first utterance alone: a worker that answers it is ready for the rest."""
        self._publish(1)

    def start_pace(self, now: float) -> float:
        """The first utterance has just ended, whenever it was published. Returns when the talk
        began."""
        self._paced_from = now - self._talk[0].end / self._speed
        return self._paced_from

    def publish_due(self, now: float) -> None:
        """What is due at `now` (monotonic seconds) and not yet published, some of it at a time."""
        rest = self._talk[self._num_published : self._num_published + MAX_AT_ONCE]
        self._publish(sum(now >= self._due(utterance) for utterance in rest))

    def _due(self, utterance: Utterance) -> float:
        return self._paced_from + utterance.end / self._speed

    def _publish(self, num_entries: int) -> None:
        if num_entries == 0:
            return
        end = self._num_published + num_entries
        entries = [utterance.fields for utterance in self._talk[self._num_published : end]]
        for publisher in self._publishers:
            publisher.publish(entries)
        self._num_published = end
