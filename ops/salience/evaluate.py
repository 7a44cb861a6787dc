"""How good a choice of sentences is, beside the usual ones, each as long as the summary is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean

from engine.evals.extracts import (
    Extract,
    at_random,
    extracted,
    highlights,
    lead,
    textrank,
    word_counts,
)
from engine.evals.rouge import Rouge, rouge, words
from engine.sentences.highlighter import Highlighter
from ops.salience.talks import Talk

NUM_SEEDS = 5
MIN_SENTENCES = 20  # of fewer there is little to choose
Figures = dict[str, dict[str, float]]


def figures(highlighter: Highlighter, kinds: Mapping[str, Sequence[Talk]]) -> dict[str, Figures]:
    """Kind of talk -> way to choose -> ROUGE, of the talks that are held out."""
    return {
        kind: found
        for kind, talks in kinds.items()
        if (found := _figures(highlighter, [talk for talk in talks if talk.is_held_out]))
    }


def _figures(highlighter: Highlighter, talks: Sequence[Talk]) -> Figures:
    texts = [
        (talk, sentences) for talk in talks if len(sentences := talk.sentences()) > MIN_SENTENCES
    ]
    if not texts:
        return {}
    ways: dict[str, list[Extract]] = {
        "random": [at_random(seed) for seed in range(NUM_SEEDS)],
        "lead": [lead],
        "TextRank": [textrank],
        "word counts": [word_counts],
        "highlights": [highlights(highlighter)],
    }
    found: Figures = {"talks": {"number": len(texts)}}
    for name, extracts in ways.items():
        scores = [
            _score(sentences, extract, summary)
            for talk, sentences in texts
            for summary in talk.summaries
            for extract in extracts
        ]
        found[name] = {
            measure: round(100 * fmean(getattr(score, field) for score in scores), 1)
            for measure, field in (("ROUGE-1", "one"), ("ROUGE-2", "two"), ("ROUGE-L", "longest"))
        }
    return found


def _score(sentences: Sequence[str], extract: Extract, summary: str) -> Rouge:
    return rouge(extracted(sentences, extract(sentences), len(words(summary))), summary)
