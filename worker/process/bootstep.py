"""What a Celery worker process starts and stops around its consumer: engine, reconciler, HTTP.

A *Worker* bootstep: consumer bootsteps are restarted whenever the broker blinks, and an engine must
not be.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from celery import bootsteps
from celery.concurrency.thread import TaskPool
from celery.platforms import EX_FAILURE
from celery.signals import worker_shutting_down
from celery.worker import state
from redis import Redis, RedisError

from worker.intake.entries import ABOUT_THE_TEXT, REJECTIONS
from worker.keyspace import registry
from worker.keyspace.connection import connect, connect_blocking, connect_broker
from worker.keyspace.server_info import is_cluster
from worker.keyspace.trouble import cluster_line, setup_line
from worker.keyspace.workers import Workers
from worker.process.balancer import TURN_SECONDS, Balancer
from worker.process.engine_thread import EngineThread
from worker.process.last_resort import LastResort
from worker.process.messages import ADOPT, BAD_MESSAGES, PREFIX
from worker.process.reconciler import Reconciler
from worker.process.tasks import Control
from worker.settings import address
from worker.watch.health import (
    STALE_SECONDS,
    Checks,
    HealthServer,
    Heartbeat,
    PortTaken,
    check_redis,
)
from worker.watch.logs import set_format
from worker.watch.metrics import Metrics
from worker.watch.steady_registry import SteadyRegistry

if TYPE_CHECKING:
    from celery.worker import WorkController

    from worker.process.application import WeirCelery
    from worker.settings.config import Settings

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Hosted:
    """What runs beside Celery's consumer; `health` is None if there is no metrics port."""

    health: HealthServer | None
    engine: EngineThread
    reconciler: Reconciler
    last_resort: LastResort
    balancer: Balancer


class EngineStep(bootsteps.StartStopStep):  # type: ignore[misc]  # Celery has no types
    """Hosts the engine of one worker process; Celery calls start, then close and stop."""

    label = "Engine"

    def __init__(self, worker: WorkController, **options: Any) -> None:
        refuse_other_pools(worker.pool_cls)
        # Workers need not know each other, Redis says who owns what. Mingle alone would cost a
        # second at each start, and the three get in the way of reconnecting to Redis.
        worker.options.update(without_gossip=True, without_mingle=True, without_heartbeat=True)
        log_format = worker.app.settings.log_format
        worker.quiet = worker.quiet or log_format == "json"  # else there is a banner first
        for name in (None, "celery.task"):  # those that Celery has given handlers
            set_format(logging.getLogger(name), log_format)
        super().__init__(worker, **options)

    def start(self, worker: WorkController) -> None:
        """Returns when the engine is loaded: the consumer, last to start, then gets messages."""
        try:
            self._hosted = host(worker.app)
        except PortTaken as error:
            raise SystemExit(f"weir: {error}") from error

    def close(self, worker: WorkController) -> None:
        """Celery is about to stop its consumer: take nothing more in meanwhile."""
        self._hosted.last_resort.expect_end()
        self._hosted.reconciler.stop()
        self._hosted.balancer.stop()
        self._hosted.engine.stop()

    def stop(self, worker: WorkController) -> None:
        """Wait for the last step, commit and snapshots, for as long as the last resort lets us; the
        exit status says how it went."""
        engine = self._hosted.engine
        engine.join()
        if engine.failure:
            worker.exitcode = EX_FAILURE
        if self._hosted.health:
            self._hosted.health.close()

    terminate = stop


def refuse_other_pools(pool: type) -> None:
    """SystemExit unless `pool` is Celery's thread pool: its tasks reach this process' pipeline."""
    if not issubclass(pool, TaskPool):
        name = pool.__module__.rpartition(".")[2]
        raise SystemExit(f"weir: --pool={name}: must be threads, the default here; leave it out")


def host(app: WeirCelery) -> Hosted:
    """Start everything. SystemExit and PortTaken, one line each, come before the long load."""
    settings = app.settings
    # This one repeats nothing: where it is used, the answer should be quick when it is bad.
    probe = connect_blocking(settings, block_seconds=0)
    refuse_wrong_setup(settings, probe)
    metrics = Metrics(
        SteadyRegistry(),
        rejections=REJECTIONS,
        fields=ABOUT_THE_TEXT,
        bad_messages=BAD_MESSAGES,
    )
    heartbeat = Heartbeat(stale_seconds=settings.hung_seconds / 2 or STALE_SECONDS)
    metrics.watch_heartbeat(heartbeat.age_seconds)
    last_resort = _watch(settings, heartbeat)
    health = _serve_health(settings, metrics, _pages(heartbeat, probe, last_resort))
    pipeline = app.open_pipeline(settings, metrics)
    metrics.engine_loaded()
    redis = connect(settings, waits_once=True)
    app.control_of_worker, app.metrics_of_worker = Control(redis, pipeline), metrics
    engine = EngineThread(
        pipeline,
        metrics,
        beat=heartbeat.beat,
        ended=partial(_end_celery, last_resort),
        seconds_left=last_resort.seconds_left,
    )
    reconciler = Reconciler(
        redis,
        partial(_look, redis, settings),
        partial(_send_adopt, app),
        interval_seconds=settings.discover_seconds,
        lease_seconds=settings.lease_seconds,
        round_key=app.round_key,
    )
    workers = Workers(connect_blocking(settings, TURN_SECONDS), key=app.workers_key)
    balancer = Balancer(pipeline.moving, workers, num_places=settings.max_streams)
    engine.start()
    reconciler.start()
    balancer.start()
    return Hosted(health, engine, reconciler, last_resort, balancer)


def _watch(settings: Settings, heartbeat: Heartbeat) -> LastResort:
    """From now on: a model that loads for longer than the end may take is not waited for."""
    last_resort = LastResort(
        heartbeat, hung_seconds=settings.hung_seconds, end_seconds=settings.stop_seconds
    )
    worker_shutting_down.connect(lambda **_: last_resort.expect_end(), weak=False)
    last_resort.start()
    return last_resort


def _pages(heartbeat: Heartbeat, probe: Redis, last_resort: LastResort) -> dict[str, Checks]:
    """What each of them asks. Liveness is about this process alone: it must not be ended because
    Redis is away."""
    ready: Checks = {"engine": heartbeat.check, "redis": partial(check_redis, probe)}
    return {
        "/livez": {"engine": heartbeat.check_alive},
        "/readyz": {**ready, "end": last_resort.check},
        "/healthz": ready,
    }


def refuse_wrong_setup(settings: Settings, redis: Redis) -> None:
    """SystemExit if a server does not let us in, or one of us does not trust or understand the
    other; one that is not there yet may come later."""
    if settings.broker.kind == "cluster":
        raise SystemExit(f"weir: Redis: {address.NO_BROKER}")
    if line := _wrong(settings.redis_url, redis):
        raise SystemExit(f"weir: Redis: {line}")
    if settings.broker_url is None:
        return
    with connect_broker(settings) as broker:
        if line := _wrong(settings.broker_url, broker):
            for setting in ("URL", "PASSWORD"):
                line = line.replace(f"WEIR_REDIS_{setting}", f"WEIR_BROKER_{setting}")
            raise SystemExit(f"weir: Redis, as Celery's broker: {line}")


def _wrong(url: str, redis: Redis) -> str | None:
    try:
        if is_cluster(redis) and not address.is_of_cluster(url):
            return cluster_line(url)
    except RedisError as error:
        if line := setup_line(url, error):
            return line
        logger.warning("Redis does not answer yet: %s", error)
    return None


def _serve_health(
    settings: Settings, metrics: Metrics, pages: dict[str, Checks]
) -> HealthServer | None:
    if settings.metrics_port == 0:
        return None
    server = HealthServer(settings.metrics_host, settings.metrics_port, metrics.registry, pages)
    server.start()
    return server


def _look(redis: Redis, settings: Settings, streams: Sequence[str] | None) -> registry.Look:
    if streams is None:
        streams = registry.discover(redis, settings.patterns)
    return registry.look_at(redis, streams, lease_seconds=settings.lease_seconds)


def _send_adopt(app: WeirCelery, streams: Sequence[str]) -> None:
    # Not repeated here: the next round is the repetition.
    app.send_task(PREFIX + ADOPT, args=list(streams), retry=False)


def _end_celery(last_resort: LastResort) -> None:
    last_resort.expect_end()
    # Celery's loop looks at this between two events, as after a SIGTERM.
    state.should_stop = EX_FAILURE
