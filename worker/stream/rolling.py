"""What is written of one stream again and again: summary and notes, and answers to questions.

Summary and notes are due together, over the same words, and are published together. What the model
writes it writes on rows that are thrown away; the stream is fed on meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from engine import NoFreeRow, Session
from worker.intake.feed import Feed
from worker.keyspace.requests import Request
from worker.stream.kit import Kit
from worker.stream.outputs import Outputs
from worker.views.notes.notes import Notes
from worker.views.question import Question, Questions
from worker.views.summary import Summary

# Why a summary may be due in the middle of a sentence, whose end will come.
GOING_ON = ("tokens", "window")


class Rolling:
    """The views of one stream beside its transcript."""

    def __init__(self, kit: Kit, outputs: Outputs, feed: Feed, views: Mapping[str, Any]):
        """views: what `to_json` gave, or that of a summary alone."""
        self._kit = kit
        self._outputs = outputs
        self._feed = feed
        self._summary = Summary(kit.summariser, kit.cadence, views["summary"], now=kit.clock())
        self._notes = Notes(kit.note_maker, views.get("notes", {}))
        self._questions = Questions(
            kit.drafts,
            kit.instructions,
            max_tokens=kit.settings.summary_max_tokens,
            in_quotes=kit.summariser.in_quotes,
        )
        self._ask_rolling(views.get("prompts", ()))

    @property
    def covered(self) -> int:
        """The position up to which summaries, and notes, reach."""
        return self._summary.covered

    def room(self, num_seen: int) -> int:
        """Tokens that may be fed before a summary must be published or begun."""
        return self._summary.room(num_seen)

    def ask(self, request: Request) -> None:
        """A question that somebody has asked."""
        self._questions.ask(
            Question(request.id, request.question, said=request.said, cites=request.cites)
        )

    def _ask_rolling(self, names: Iterable[str]) -> None:
        prompts = self._kit.settings.prompts
        for name in names:
            if name in prompts:  # whoever took the stream over may have others
                self._questions.ask(Question(name, prompts[name], is_rolling=True))

    def due(self, num_seen: int, owed: str | None) -> str | None:
        """Why a summary is due now. owed: the reason for which it is, whatever its cadence says."""
        if self._questions.rolling:
            return None  # each summary is answered for before the next
        if owed and not self._summary.is_writing:
            return owed
        return self._summary.due(num_seen, self._kit.clock())

    @property
    def wants_a_copy(self) -> bool:
        """For a question; a summary wants one when it is due."""
        return self._questions.want_a_copy

    def begin(self, session: Session, reason: str | None) -> None:
        """The next question, or else a summary if there is a reason for one: `session` has nothing
        pending. Raises what `Drafts.on_copy` does."""
        now = self._kit.clock()
        if self._questions.want_a_copy:  # first: with each summary, not after some of them
            self._questions.begin(session, now)
        elif reason:
            lines = self._feed.lines(self.covered, session.num_seen - 1)
            self._summary.begin(session, self._feed, reason, now)
            self._notes.begin(lines, is_paused=reason not in GOING_ON)

    def take_out(self, last_entry: str) -> Question | None:
        """Publishes what the model has finished; the question that it has answered."""
        now = self._kit.clock()
        if self._summary.collect(now):
            with suppress(NoFreeRow):  # for notes: they wait for the next step
                self._publish_what_is_written(now)
        answered = self._questions.finish(now)
        if answered is None:
            return None
        question, fields = answered
        self._outputs.answer(fields | {"entry": last_entry})
        self._kit.metrics.view("prompt", float(fields["seconds"]))
        return question

    def _publish_what_is_written(self, now: float) -> None:
        """The summary, when the notes of the same words are there too."""
        changes = self._notes.finish()
        if changes is None:
            return
        for change in changes:
            self._outputs.note(change)
            self._kit.metrics.noted(change["change"])
        self._publish_summary(self._summary.finish(now))
        self._ask_rolling(self._kit.settings.prompts)

    def publish_the_last(self, last_entry: str) -> None:
        """The stream is over: its last summary is marked as such."""
        if self._summary.owes_the_last:
            self._publish_summary(self._summary.repeat(last_entry))

    def _publish_summary(self, fields: dict[str, str]) -> None:
        self._outputs.summary(fields)
        self._feed.forget(self._summary.covered)
        self._kit.metrics.view("summary", float(fields["seconds"]))

    @property
    def is_summarising(self) -> bool:
        return self._summary.is_writing

    @property
    def is_busy(self) -> bool:
        """Whether something is being written at this moment."""
        return self._summary.is_writing or self._questions.is_answering

    @property
    def is_done(self) -> bool:
        """Whether nothing is being written, nor waits to be."""
        return not self._summary.is_writing and self._questions.is_empty

    def to_json(self) -> dict[str, Any]:
        return {
            "summary": self._summary.to_json(),
            "notes": self._notes.to_json(),
            "prompts": self._questions.rolling,
        }

    def close(self) -> None:
        self._summary.close()
        self._notes.close()
        self._questions.close()
