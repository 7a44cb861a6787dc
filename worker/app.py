"""The Celery application: `celery -A worker.app worker` is a Weir worker, with no further options.

Celery places streams on workers and carries control messages, nothing else. A message is a hint:
the truth is in Redis, and the reconciler repeats whatever got lost on the way.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any

from celery import Celery
from pydantic import ValidationError

from worker import tasks
from worker.bootstep import EngineStep
from worker.config import Settings, load_settings, misspelt, settings_error_line
from worker.engine_thread import Runnable
from worker.menu import COMMANDS
from worker.reconciler import ROUND_KEY
from worker.rules import ENV_PREFIX

if TYPE_CHECKING:
    from worker.metrics import Metrics
    from worker.tasks import Control

OpenPipeline = Callable[[Settings, "Metrics"], Runnable]

KEY_PREFIX = "weir:celery:"
"""Before each of the broker's own keys, so that other applications can use the same database."""


class WeirCelery(Celery):  # type: ignore[misc]  # Celery has no types
    """Celery, with what its tasks and bootsteps reach."""

    open_pipeline: OpenPipeline
    control_of_worker: Control
    """Set while a worker runs in this process, and only then."""

    @cached_property
    def settings(self) -> Settings:
        """Read at first use: importing this module reads no environment."""
        for line in misspelt(os.environ, COMMANDS, "worker", ()).values():
            sys.stderr.write(f"weir: {line}\n")
        try:
            return load_settings()
        except ValidationError as error:
            raise SystemExit(f"weir: {settings_error_line(error)}") from None

    @property
    def round_key(self) -> str:
        """Held by the worker that looks for streams without an owner, for all that look alike."""
        return name_for_patterns(ROUND_KEY, self.settings)


def open_pipeline(settings: Settings, metrics: Metrics) -> Runnable:
    """The pipeline of a real worker, its engine loaded."""
    refuse_bad_folder("SNAPSHOT_DIR", settings.snapshot_dir)
    refuse_bad_folder("PARK_DIR", settings.park_dir)
    # Imported late: whoever only sends messages needs no torch.
    from engine import ConfigError, EngineError  # noqa: PLC0415
    from worker.pipeline import Pipeline  # noqa: PLC0415

    try:
        return Pipeline.open(settings, metrics)
    except ConfigError as error:  # it begins with the name of a setting, `device='cuda' ...`
        name, _, rest = str(error).partition("=")
        raise SystemExit(f"weir: {ENV_PREFIX}{name.upper()}={rest}") from error
    except (EngineError, ValueError) as error:
        raise SystemExit(f"weir: {error}") from error


def refuse_bad_folder(variable: str, folder: Path) -> None:
    """SystemExit if no session can be saved there, and not after the long load."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            return
    except OSError as error:
        raise SystemExit(
            f"weir: {ENV_PREFIX}{variable}={str(folder)!r}: {error.strerror}; name a folder that "
            "can be written to"
        ) from None


def make_app(open_pipeline: OpenPipeline = open_pipeline) -> WeirCelery:
    """A Celery application whose workers run the pipeline that `open_pipeline` makes."""
    app = WeirCelery("weir")
    app.open_pipeline = open_pipeline
    app.add_defaults(lambda: celery_config(app.settings))
    app.steps["worker"].add(EngineStep)
    tasks.register(app)
    return app


def name_for_patterns(name: str, settings: Settings) -> str:
    """`name`, with a mark for patterns of one's own: workers that look for other keys share a
    server, and neither take each other's messages nor keep each other from looking."""
    if settings.pattern == Settings.model_fields["pattern"].default:
        return name
    patterns = ",".join(sorted(settings.patterns))
    return f"{name}.{hashlib.blake2b(patterns.encode(), digest_size=4).hexdigest()}"


def celery_config(settings: Settings) -> dict[str, Any]:
    """Where Celery must differ from its defaults."""
    return {
        "broker_url": settings.broker_url,
        "broker_connection_retry_on_startup": True,
        # A server that is full, read-only or failing over says so with an error: wait for it, too.
        "broker_channel_error_retry": True,
        "worker_consumer": "worker.consumer:PatientConsumer",
        "broker_transport_options": {"global_keyprefix": KEY_PREFIX},
        "task_default_queue": name_for_patterns("weir", settings),
        "task_ignore_result": True,
        "task_serializer": "json",
        "accept_content": ["json"],
        # Early: a late-acknowledged task that is unfinished when Redis goes away ends the worker.
        "task_acks_late": False,
        "worker_pool": "threads",
        "worker_concurrency": 2,
        "worker_prefetch_multiplier": 1,
        # Its replies leave keys without a time to live. /healthz and `weir streams` say more.
        "worker_enable_remote_control": False,
        # What a refused start says should be a plain line, not a log record.
        "worker_redirect_stdouts": False,
    }


app = make_app()
