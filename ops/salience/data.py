"""python -m ops.salience.data --meetings FILE --transcripts FOLDER [--held-out] [--shape SHAPE]
> talks.jsonl

Meetings as `weir eval summary --data` reads them, in one of the shapes in which talk comes: whole
turns, growing hypotheses of them, fragments of four words, or word by word.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

from ops.salience.talks import Talk, meetings

Fields = dict[str, str]
FRAGMENT = 4
GROWTH = 5  # words that a hypothesis grows by


def entries(talk: Talk, shape: str) -> Iterator[Fields]:
    for number, (speaker, text) in enumerate(talk.turns):
        words = text.split()
        if shape == "growing":
            yield from _growing(words, speaker, str(number))
        else:
            size = {"whole": len(words), "fragments": FRAGMENT, "words": 1}[shape]
            for at in range(0, len(words), max(1, size)):
                yield {"speaker": speaker, "text": " ".join(words[at : at + size])}


def _growing(words: list[str], speaker: str, segment: str) -> Iterator[Fields]:
    """Each hypothesis has all that was said so far; the last one is final."""
    for end in range(GROWTH, len(words) + GROWTH, GROWTH):
        final = "1" if end >= len(words) else "0"
        text = " ".join(words[:end])
        yield {"speaker": speaker, "text": text, "segment": segment, "final": final}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m ops.salience.data", description=__doc__)
    parser.add_argument("--meetings", type=Path, required=True, help="their summaries")
    parser.add_argument("--transcripts", type=Path, required=True, help="folder, a file a meeting")
    parser.add_argument("--held-out", action="store_true", help="only what nothing was learnt from")
    parser.add_argument(
        "--shape", choices=("whole", "growing", "fragments", "words"), default="whole"
    )
    arguments = parser.parse_args()
    for talk in meetings(arguments.meetings, arguments.transcripts):
        if talk.is_held_out or not arguments.held_out:
            spoken = list(entries(talk, arguments.shape))
            line = {"name": talk.name, "entries": spoken, "summaries": talk.summaries}
            print(json.dumps(line, ensure_ascii=False))


if __name__ == "__main__":
    main()
