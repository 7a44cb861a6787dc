"""The Celery application: `celery -A worker.app worker` is a Weir worker, with no further options.

Celery places streams on workers and carries control messages, nothing else. A message is a hint:
the truth is in Redis, and the reconciler repeats whatever got lost on the way.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from worker.process import tasks
from worker.process.application import Hostable, OpenPipeline, WeirCelery
from worker.process.bootstep import EngineStep
from worker.settings import address
from worker.settings.config import Settings
from worker.settings.rules import ENV_PREFIX
from worker.settings.shared_name import name_for_patterns
from worker.watch.metrics import Metrics

KEY_PREFIX = "weir:celery:"
"""Before each of the broker's own keys, so that other applications can use the same database."""


def open_pipeline(settings: Settings, metrics: Metrics) -> Hostable:
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
    app.add_defaults(lambda: celery_config(app))
    app.steps["worker"].add(EngineStep)
    tasks.register(app)
    return app


def celery_config(app: WeirCelery) -> dict[str, Any]:
    """Where Celery must differ from its defaults."""
    settings = app.settings
    return {
        "broker_url": address.shown(settings.broker_url or settings.redis_url),
        "broker_transport": "worker.process.broker:Transport",
        "broker_transport_options": {
            "server": settings.broker,
            "global_keyprefix": KEY_PREFIX,
            "count_rejected": app.count_rejected_message,
        },
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,  # for ever
        # A server that is full, read-only or failing over says so with an error: wait for it, too.
        "broker_channel_error_retry": True,
        "worker_consumer": "worker.process.consumer:PatientConsumer",
        "task_default_queue": name_for_patterns("weir", settings),
        "task_ignore_result": True,
        "task_serializer": "json",
        "accept_content": ["json"],
        # Late: what is acknowledged leaves the queue. (Celery 5.7.0 ends the worker when Redis goes
        # away meanwhile, and 5.6 does not.)
        "task_acks_late": True,
        "task_acks_on_failure_or_timeout": False,
        "worker_pool": "threads",
        "worker_concurrency": 1,  # one after another, in the order of the queue
        "worker_prefetch_multiplier": 1,
        # Its replies leave keys without a time to live. /healthz and `weir streams` say more.
        "worker_enable_remote_control": False,
        # What a refused start says should be a plain line, not a log record.
        "worker_redirect_stdouts": False,
    }


app = make_app()
