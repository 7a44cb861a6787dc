"""Run a worker: it finds the streams that match the pattern and writes their transcripts, summaries
and memory figures. The same as `celery -A worker.app worker`; what follows `--` goes to Celery.
"""

from __future__ import annotations

import argparse
import os
import sys
import warnings

import click
from celery.bin.celery import celery
from celery.exceptions import SecurityWarning

from worker.cli import MISUSED
from worker.settings.config import Settings
from worker.settings.options import UsageError, add_settings, given_settings, settings_from
from worker.settings.rules import ENV_PREFIX


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_settings(parser, (name for name in Settings.model_fields if name != "redis_password"))
    parser.add_argument(
        "celery", metavar="-- CELERY_OPTION", nargs="*", help="such as -- --loglevel DEBUG"
    )


def run(arguments: argparse.Namespace) -> int:
    """Runs until it is told to stop; Celery's exit code."""
    _refuse_other_pools(arguments.celery)
    settings_from(arguments)
    # Celery reads the settings from the environment, as it does when it is started by itself.
    for name, value in given_settings(arguments).items():
        os.environ[ENV_PREFIX + name.upper()] = str(value)
    return _run_celery(["worker", *_defaults(arguments.celery), *arguments.celery])


def _refuse_other_pools(given: list[str]) -> None:
    """Here the application's pool wins over the option, which would be ignored in silence."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("-P", "--pool", nargs="?", default="threads")
    pool = parser.parse_known_args(given)[0].pool
    if pool != "threads":
        raise UsageError(f"--pool={pool}: must be threads, the default here; leave it out")


def _run_celery(argv: list[str]) -> int:
    # Twenty lines about root and pickled code. Only JSON is accepted here, and many a container has
    # no other user; ops/Dockerfile has one.
    warnings.filterwarnings("ignore", category=SecurityWarning)
    # Not app.worker_main(), which forgets how it ended. A refused start ends with a sentence.
    try:
        status = celery.main(args=["--app", "worker.app", *argv], standalone_mode=False)
    except click.ClickException as error:
        raise UsageError(error.format_message().replace("\n", " ")) from None
    if isinstance(status, str):
        sys.stderr.write(f"{status}\n")
        return MISUSED
    return int(status or 0)


def _defaults(given: list[str]) -> list[str]:
    says_level = any(word.startswith(("-l", "--loglevel")) for word in given)
    return ["--pool", "threads", *([] if says_level else ["--loglevel", "INFO"])]
