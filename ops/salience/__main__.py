"""python -m ops.salience --meetings FILE --transcripts FOLDER [--dialogues FILE] [--documents FILE]
--out FOLDER

Ends with --out/weights and its card, in a minute of one core. With --evaluate FOLDER the figures of
that folder's weights are printed, and nothing is learnt.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from engine.sentences.cutting import is_telling
from engine.sentences.highlighter import Highlighter
from engine.sentences.stored import save, tokenizer
from ops.salience.card import card
from ops.salience.evaluate import figures
from ops.salience.fit import Lesson, fit
from ops.salience.labels import common_words, labels
from ops.salience.talks import Talk, dialogues, documents, meetings

WEIGHTS = {"meetings": 1.0, "dialogues": 0.3, "documents": 0.3}


def main() -> None:
    arguments = _arguments()
    kinds = _kinds(arguments)
    if arguments.evaluate:
        print(json.dumps(figures(Highlighter.load(arguments.evaluate), kinds)))
        return
    folder = arguments.out / "weights"
    save(folder, fit(tokenizer(), lessons(kinds)))
    found = figures(Highlighter.load(folder), kinds)
    (folder / "figures.json").write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    (folder / "README.md").write_text(card(found), encoding="utf-8")


def lessons(kinds: Mapping[str, Sequence[Talk]]) -> list[Lesson]:
    """Of the talks that are not held out."""
    telling = {
        kind: [
            (talk, [sentence for sentence in talk.sentences() if is_telling(sentence)])
            for talk in talks
            if not talk.is_held_out
        ]
        for kind, talks in kinds.items()
    }
    common = common_words(
        sentence for talks in telling.values() for _, them in talks for sentence in them
    )
    return [
        Lesson(sentences, labels(sentences, talk.summaries, common), WEIGHTS[kind])
        for kind, talks in telling.items()
        for talk, sentences in talks
    ]


def _kinds(arguments: argparse.Namespace) -> dict[str, list[Talk]]:
    found = {"meetings": meetings(arguments.meetings, arguments.transcripts)}
    if arguments.dialogues:
        found["dialogues"] = dialogues(arguments.dialogues)
    if arguments.documents:
        found["documents"] = documents(arguments.documents)
    return found


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m ops.salience", description=__doc__)
    parser.add_argument("--meetings", type=Path, required=True, help="their summaries")
    parser.add_argument("--transcripts", type=Path, required=True, help="folder, a file a meeting")
    parser.add_argument("--dialogues", type=Path, help="short ones, with their summaries")
    parser.add_argument("--documents", type=Path, help="long ones, with their summaries")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--evaluate", type=Path, metavar="FOLDER", help="print its figures only")
    arguments = parser.parse_args()
    if not arguments.evaluate and not arguments.out:
        parser.error("give --out, or --evaluate")
    return arguments


if __name__ == "__main__":
    main()
