"""Celery's application as its tasks and its bootstep see it; worker/app.py makes it."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable
from functools import cached_property

from celery import Celery
from pydantic import ValidationError

from worker.process.engine_thread import Runnable
from worker.process.reconciler import ROUND_KEY
from worker.process.tasks import Control
from worker.settings.config import Settings, load_settings, misspelt, settings_error_line
from worker.settings.menu import COMMANDS
from worker.watch.metrics import Metrics

OpenPipeline = Callable[[Settings, Metrics], Runnable]


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


def name_for_patterns(name: str, settings: Settings) -> str:
    """`name`, with a mark for patterns of one's own: workers that look for other keys share a
    server, and neither take each other's messages nor keep each other from looking."""
    if settings.pattern == Settings.model_fields["pattern"].default:
        return name
    patterns = ",".join(sorted(settings.patterns))
    return f"{name}.{hashlib.blake2b(patterns.encode(), digest_size=4).hexdigest()}"
