"""The card that lies beside the weights: what they are, how they were made, how good they are."""

from __future__ import annotations

from typing import Any

COLUMNS = ("comma", "stop", "question", "all", "capitals")
ROWS = {
    "encoder": "this encoder",
    "encoder, nothing after": "the same, no word held back",
    "usual": "what is usual for a word",
    "unrestored": "as it came",
    "encoder, same entries as old": "this encoder, a small sample",
    "old": "the bundled language model, the same sample",
}
OPENING = """---
license: apache-2.0
language: en
pipeline_tag: token-classification
tags: [punctuation, capitalisation, streaming]
---
# The encoder that restores capitals and marks

It reads raw words once and says for each which mark follows and how the word is written. It writes
no letter and so can change none. `docs/restoring.md` says how streams use it.
"""
MAKING = """
## How it was made

`python -m ops.restore` fine-tuned all-MiniLM-L6-v2 (Apache-2.0, uncased WordPiece, 6 layers of 384)
with two heads on {words:,} words; the token embeddings stayed as they were. The texts: hearings of
the United States Congress (public), QMSum's meetings (MIT) and novels that are in the public
domain, lower-cased and stripped of marks, in windows that begin and end anywhere. Whole documents
were held out by a hash of their names: half to set how readily each mark is written, half for the
figures. Matrices are in int8, one scale a row.
"""
LIMITS = """
## Limits

* English only. Another language: the same recipe on another encoder and other texts.
* It writes `. , ?` and no other mark.
* The last word of a text that is cut off is where it errs most: streams hold a few words back.
* Meetings are transcribed with marks that follow no rule that could be learnt; figures on them say
  as much of the transcribers as of the encoder.
"""


def card(figures: dict[str, Any], num_words: int) -> str:
    return OPENING + MAKING.format(words=num_words) + _figures(figures) + LIMITS


def _figures(figures: dict[str, Any]) -> str:
    kinds = {kind: found for kind, found in figures.items() if kind != "speed"}
    speed = figures["speed"]
    return "\n".join(
        [
            "\n## Figures\n",
            "F1 on held-out texts, in entries of 14 words that come one after another, with what",
            "was written before and four words after. `!` counts as a stop, `:` and `;` as commas.",
            *(line for kind, found in kinds.items() for line in _table(kind, found)),
            "\nF1 of all marks by the place of the word before the end of its entry:\n",
            *_places(kinds),
            f"\nWhere it was made: {speed['words_per_core_second']:,} words in a second of one"
            f" core, of many streams together; {speed['milliseconds_alone']} ms for one entry.\n",
        ]
    )


def _table(kind: str, found: dict[str, Any]) -> list[str]:
    head = [f"\n**{kind}**, {found['words']:,} words\n", f"| | {' | '.join(COLUMNS)} |"]
    rows = [
        f"| {said} | {' | '.join(f'{found[name][column]:.2f}' for column in COLUMNS)} |"
        for name, said in ROWS.items()
        if name in found
    ]
    return [*head, "|---|" + "---|" * len(COLUMNS), *rows]


def _places(kinds: dict[str, Any]) -> list[str]:
    names = list(next(iter(kinds.values()))["encoder"]["by place"])
    lines = [f"| | {' | '.join(names)} |", "|---|" + "---|" * len(names)]
    for kind, found in kinds.items():
        for row in ("encoder", "encoder, nothing after"):
            values = found[row]["by place"]
            cells = " | ".join(f"{values[name]:.2f}" for name in names)
            lines.append(f"| {kind}, {ROWS[row]} | {cells} |")
    return lines
