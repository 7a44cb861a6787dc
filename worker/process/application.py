"""Celery's application as its tasks and its bootstep see it; worker/app.py makes it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import cached_property
from typing import Protocol

from celery import Celery
from pydantic import ValidationError

from worker.keyspace.workers import WORKERS_KEY
from worker.process.balancer import Mover
from worker.process.engine_thread import Runnable
from worker.process.reconciler import ROUND_KEY
from worker.process.tasks import Control
from worker.settings.config import Settings, load_settings, misspelt, settings_error_line
from worker.settings.menu import COMMANDS
from worker.settings.shared_name import name_for_patterns
from worker.watch.metrics import Metrics


class Hostable(Runnable, Protocol):
    """A pipeline as a worker process needs it."""

    @property
    def moving(self) -> Mover:
        """Its streams, for those who move them."""


OpenPipeline = Callable[[Settings, Metrics], Hostable]


class WeirCelery(Celery):  # type: ignore[misc]  # Celery has no types
    """Celery, with what its tasks and bootsteps reach."""

    open_pipeline: OpenPipeline
    control_of_worker: Control
    """Set while a worker runs in this process, and only then."""
    metrics_of_worker: Metrics | None = None
    """The same."""

    @cached_property
    def settings(self) -> Settings:
        """Read at first use: importing this module reads no environment."""
        for line in misspelt(os.environ, COMMANDS, "worker", ()).values():
            sys.stderr.write(f"weir: {line}\n")
        try:
            return load_settings()
        except ValidationError as error:
            raise SystemExit(f"weir: {settings_error_line(error)}") from None

    def count_rejected_message(self, kind: str) -> None:
        """A control message was set aside here; `kind` is one of BAD_MESSAGES."""
        if self.metrics_of_worker:
            self.metrics_of_worker.message_rejected(kind)

    @property
    def round_key(self) -> str:
        """Held by the worker that looks for streams without an owner, for all that look alike."""
        return name_for_patterns(ROUND_KEY, self.settings)

    @property
    def workers_key(self) -> str:
        """The table of the workers that look for the same keys."""
        return name_for_patterns(WORKERS_KEY, self.settings)
