"""Give raw text capitals and marks, line by line, from a file or standard input.

A line is what one speaker says in a row; the lines before and the one after it are read too. An
empty line, or the end, ends what is said. Lines that have capitals or marks go through as they are.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import chain, pairwise

from engine import ConfigError, Desk, Punctuator
from worker.commands.script import user_texts
from worker.settings.options import UsageError, add_settings, settings_from
from worker.views.lexicon import Lexicon
from worker.views.restore import NUM_CONTEXT_WORDS, Restorer
from worker.views.settling.words import words_of

WAIT_SECONDS = 1.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (__doc__ or "").partition("\n\n")[2]
    parser.add_argument(
        "file", nargs="?", default="-", metavar="FILE", help="(default: standard input)"
    )
    add_settings(parser, ("restore",))


def run(arguments: argparse.Namespace) -> int:
    settings = settings_from(arguments)
    if settings.restore == "off":
        raise UsageError("--restore=off leaves nothing to do")
    try:
        desk = Desk(Punctuator.load(settings.restore_folder))
    except ConfigError as error:
        raise UsageError(str(error)) from None
    restorer = Restorer(desk, clock=time.monotonic, took=lambda _seconds: None)
    with closing(restorer), user_texts(arguments.file) as lines:
        for line in written(restorer, lines):
            sys.stdout.write(line + "\n")
            sys.stdout.flush()
    return 0


def written(restorer: Restorer, lines: Iterable[str]) -> Iterator[str]:
    """Each line as soon as the next one is there. Names are written as earlier lines have them."""
    before, known = "", Lexicon()
    for text, following in pairwise(chain(map(str.strip, lines), [""])):
        is_raw = restorer.wants(text, None)
        known = known.learn(None, words_of(text), is_raw=is_raw)
        line = _restored(restorer, text, before, following, known) if is_raw else text
        before = " ".join(f"{before} {line}".split()[-NUM_CONTEXT_WORDS:]) if following else ""
        yield line


def _restored(restorer: Restorer, text: str, before: str, after: str, known: Lexicon) -> str:
    restoration = restorer.begin(
        text, before=before, after=after, names=known.by_word, ends=not after
    )
    while (line := restoration.advance()) is None:
        restorer.wait(WAIT_SECONDS)
    return line
