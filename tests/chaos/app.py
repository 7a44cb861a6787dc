"""The worker of the product, which dies or freezes where it is told to (moments.py)."""

from __future__ import annotations

from tests.chaos.moments import Moments
from worker.app import make_app
from worker.app import open_pipeline as open_real_pipeline
from worker.process.engine_thread import Runnable
from worker.settings.config import Settings
from worker.watch.metrics import Metrics


def open_pipeline(settings: Settings, metrics: Metrics) -> Runnable:
    moments = Moments.from_environment()
    if moments is not None:
        moments.install()
    return open_real_pipeline(settings, metrics)


app = make_app(open_pipeline)
