"""How one stream writes the words that are written with capitals, and who of it writes at all.

Learnt from what comes punctuated, for what comes without: names of speakers, words that have
capitals within a sentence. A word that the same stream also writes small there is none of these.

Immutable and bounded; the state goes into the checkpoint. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

MAX_NAMES = 256
MAX_SPEAKERS = 32
MIN_TELLING_WORDS = 8  # so many without a capital or a mark are raw whoever says them
# What transcripts call people whose names they do not know: common words, all of them.
_ROLES = frozenset(
    {"speaker", "doctor", "patient", "host", "guest", "interviewer", "interviewee", "agent"}
    | {"customer", "caller", "user", "assistant", "moderator", "chair", "chairman", "operator"}
    | {"channel", "participant", "unknown", "narrator", "teacher", "student", "client", "man"}
    | {"woman", "male", "female", "voice", "person", "audience", "all", "both"}
)
_CLOSING = (".", "?", "!", ":", "…", '"', "”", "—", "-")

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Lexicon:
    """names: (word in small letters, as it is written), newest last. writers: (speaker, whether
    what came of them last had capitals or marks)."""

    names: Pairs = ()
    writers: tuple[tuple[str, bool], ...] = ()

    @cached_property
    def by_word(self) -> Mapping[str, str]:
        return dict(self.names)

    def is_writer(self, speaker: str | None) -> bool:
        return dict(self.writers).get(speaker or "", False)

    def learn(self, speaker: str | None, words: Sequence[str], *, is_raw: bool) -> Lexicon:
        """From one text as it came: every hypothesis of it is worth as much."""
        names, writers = self.by_word, self.writers
        found = {} if is_raw else _names_in(words)
        small = set() if is_raw else _small_in(words)
        new = {**found, **_of_speaker(speaker)}
        if any(names.get(word) != name for word, name in new.items()) or small & names.keys():
            kept = {w: n for w, n in names.items() if w not in new} | new
            names = {w: n for w, n in kept.items() if w not in small}
        if not is_raw or len(words) >= MIN_TELLING_WORDS:
            told = (speaker or "", not is_raw)
            if told not in writers:
                others = tuple(w for w in writers if w[0] != told[0])
                writers = (*others, told)[-MAX_SPEAKERS:]
        if names is self.by_word and writers is self.writers:
            return self
        return Lexicon(tuple(names.items())[-MAX_NAMES:], writers)

    def to_json(self) -> list[Any]:
        return [dict(self.names), dict(self.writers)]

    @classmethod
    def from_json(cls, state: Sequence[Any]) -> Lexicon:
        names, writers = state
        return cls(tuple(names.items()), tuple(writers.items()))


def _of_speaker(speaker: str | None) -> dict[str, str]:
    """Of "Priya Shah", both; nothing of "SPEAKER_01" or "the chair"."""
    words = (speaker or "").split()
    return {
        word.lower(): word
        for word in words
        if word.isalpha() and word.istitle() and len(word) > 1 and word.lower() not in _ROLES
    }


def _within(words: Sequence[str]) -> list[str]:
    """The words that do not begin a sentence, without their marks; none of a heading."""
    within = [
        word.strip().strip('.,;:!?()[]"“”…')
        for before, word in pairwise(words)
        if not before.strip().endswith(_CLOSING)
    ]
    num_capital = sum(word[:1].isupper() for word in within)
    return within if 2 * num_capital <= len(within) else []


def _names_in(words: Sequence[str]) -> dict[str, str]:
    return {
        word.lower(): word
        for word in _within(words)
        if len(word) > 1 and word.isalpha() and word[0].isupper()
    }


def _small_in(words: Sequence[str]) -> set[str]:
    return {word for word in _within(words) if word.islower()}
