"""What a worker has made of a talk, measured beside simple ways to choose from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from engine import Highlighter
from engine.evals.extracts import (
    Extract,
    at_random,
    extracted,
    highlights,
    lead,
    textrank,
    word_counts,
)
from engine.evals.rouge import words
from engine.evals.summaries_report import Figures, figures, mean
from engine.evals.unfolding import State
from worker.commands.evals.followed import Followed
from worker.views.sentences import sentences

NUM_SEEDS = 5


def compared(followed: Followed, references: Sequence[str]) -> dict[str, Figures]:
    """The ways by name; all but the summary are as long as the references."""
    said = _words(followed, len(followed.lines))
    size = round(sum(len(words(text)) for text in references) / len(references))
    ours = highlights(Highlighter.load())
    ways = {"lead": lead, "TextRank": textrank, "word counts": word_counts, "highlights": ours}
    found = {
        name: figures(_extracts(followed, extract, size), said, references)
        for name, extract in ways.items()
    }
    chances = [
        figures(_extracts(followed, at_random(seed), size), said, references)
        for seed in range(NUM_SEEDS)
    ]
    return {
        "random": mean(chances),
        **found,
        "notes": figures(
            _notes(followed, ours, size), said, references, citations=followed.num_cited
        ),
        "summary": figures(_summaries(followed), said, references),
    }


def means(found: Sequence[Mapping[str, Figures]]) -> dict[str, Figures]:
    """Of all talks, way by way."""
    return {name: mean([talk[name] for talk in found]) for name in found[0]}


def _words(followed: Followed, num_lines: int) -> list[str]:
    speech = sentences(followed.lines[:num_lines])
    return [word for sentence in speech for word in words(sentence.text)]


def _extracts(followed: Followed, extract: Extract, size: int) -> list[State]:
    states = []
    for stage in followed.stages:
        texts = [sentence.text for sentence in sentences(followed.lines[: stage.num_lines])]
        num_said = sum(len(words(text)) for text in texts)
        states.append(State(num_said, extracted(texts, extract(texts), size)))
    return states


def _notes(followed: Followed, extract: Extract, size: int) -> list[State]:
    """The most telling ones: all of an hour's are longer than any summary."""
    return [
        State(
            len(_words(followed, stage.num_lines)),
            extracted(stage.notes, _all(extract, stage.notes), size),
        )
        for stage in followed.stages
    ]


def _all(extract: Extract, texts: Sequence[str]) -> list[int]:
    """What does not stand alone comes last."""
    return list(dict.fromkeys([*extract(texts), *range(len(texts))]))


def _summaries(followed: Followed) -> list[State]:
    """As they were published, without the names before quotes."""
    names = {f"{line.speaker}: " for line in followed.lines if line.speaker}
    return [
        State(
            len(_words(followed, stage.num_lines)),
            "\n".join(_without(names, line) for line in stage.summary.splitlines()),
        )
        for stage in followed.stages
    ]


def _without(names: set[str], line: str) -> str:
    return next((line.removeprefix(name) for name in names if line.startswith(name)), line)
