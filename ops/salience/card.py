"""The card that lies beside the weights: what they are, how they were made, how good they are."""

from __future__ import annotations

from ops.salience.evaluate import Figures

OPENING = """---
license: apache-2.0
language: en
tags: [summarization, extractive, streaming]
---
# What words are worth in a summary

A number for each word piece, and one for each form of a sentence. Their mean over a sentence says
how telling it is; of telling sentences each is chosen that is new against those before it.
`docs/notes.md` says how summaries and notes use it.

## How it was made

`python -m ops.salience` fitted them by ridge regression to how many of a sentence's words people's
summaries have too. It learnt from QMSum's meetings and their summaries (MIT), the dialogues of
MTS-Dialog with theirs (CC BY 4.0) and the stories of SQuALITY with theirs (CC BY 4.0), the last two
with a third of the weight. One name in five is held out, by a hash of the names. The word pieces
are those of all-MiniLM-L6-v2 (Apache-2.0), as in `engine/restore/weights`.
"""
LIMITS = """
## Limits

* English only. For another language: the same recipe on summaries in it.
* It knows words, not what is meant: a sentence that denies is as telling as one that affirms.
* What is told in texts of another kind (news, code) may be told by other words.
* Tried on the same held-out meetings and left out: a head on the vectors of all-MiniLM-L6-v2 (the
  sentence's own, and how near it is to those of the other telling ones), ROUGE-1 32.7 and ROUGE-2
  6.0 where words alone give 33.4 and 5.7, for hundreds of times the work; the nearness alone, 32.6;
  maximal marginal relevance on the vectors, 33.0; how often the talk has said a word before, 33.8
  where another trial gave 33.0, which would have made salience depend on the rest of the stream.
"""


def card(found: dict[str, Figures]) -> str:
    return OPENING + "\n".join(_lines(found)) + "\n" + LIMITS


def _lines(found: dict[str, Figures]) -> list[str]:
    lines = [
        "\n## Figures\n",
        "F1 in percent on talks that are held out, every choice cut to the number of words that",
        "the summary has. Words are not stemmed. Random: the mean of five seeds.",
    ]
    for kind, ways in found.items():
        lines += [
            f"\n**{kind}**, {ways['talks']['number']}\n",
            "| | ROUGE-1 | ROUGE-2 | ROUGE-L |",
            "|---|---|---|---|",
            *(
                f"| {way} | {' | '.join(f'{score:.1f}' for score in scores.values())} |"
                for way, scores in ways.items()
                if way != "talks"
            ),
        ]
    return lines
