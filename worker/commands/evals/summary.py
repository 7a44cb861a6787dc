"""Compare the summaries that a worker writes with people's, and with simple ways to choose.

Each talk of the file is read by a whole worker. Beside its summary and notes there are what was
said first (lead), sentences by chance (the mean of five), TextRank, word counts, and the highlights
alone; these, and the notes, are cut to the number of words that people took. Rolling figures are
over the whole talk, at each point where the worker wrote a summary. The last line printed is a JSON
object.

A line of the file is an object with `name`, `entries` (objects with the fields of a stream's
entries: `text`, `speaker`, ...) and `summaries` (texts).
"""

from __future__ import annotations

import argparse
from importlib import import_module
from pathlib import Path

from worker.settings.options import UsageError, add_settings, settings_from


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (__doc__ or "").partition("\n\n")[2]
    parser.add_argument(
        "--data",
        type=Path,
        required=True,
        metavar="FILE",
        help="JSON lines: talks and people's summaries; .gz is unpacked",
    )
    parser.add_argument(
        "--talks", type=int, metavar="NUMBER", help="read only so many of them, the first ones"
    )
    names = ("model", "summary_style", "summary_tokens", "summary_max_tokens", "num_recent")
    add_settings(parser, (*names, "notes", "restore", "device", "dtype"))


def run(arguments: argparse.Namespace) -> int:
    settings = settings_from(arguments)
    talks = list(import_module("worker.commands.evals.talks").read_talks(arguments.data))
    talks = talks[: arguments.talks]
    if not talks:
        raise UsageError(f"--data={arguments.data} has no talk")
    followed = import_module("worker.commands.evals.followed")  # late: `--help` needs no torch
    rows = import_module("worker.commands.evals.compared")
    report = import_module("engine.evals.summaries_report")
    with followed.reader(settings) as reader:
        found = [rows.compared(reader.follow(talk), talk.summaries) for talk in talks]
    about = {"model": settings.model, "style": settings.summary_style, "talks": len(talks)}
    report.print_summaries(rows.means(found), about)
    return 0
