"""The loop around the pipeline, with a pipeline that does what a test lists."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import pytest
from prometheus_client import CollectorRegistry
from redis.exceptions import AuthenticationError, ConnectionError, TimeoutError

from worker.process.engine_thread import EngineThread
from worker.watch.metrics import Metrics

JOIN_SECONDS = 20.0


class ListedPipeline:
    """Each round does the next thing in `rounds`; afterwards there is nothing to do."""

    def __init__(self, rounds: Sequence[Callable[[], bool]] = ()) -> None:
        self.wake = threading.Event()
        self.is_done = threading.Event()
        self.num_rounds = 0
        self.num_closed = 0
        self.closing_seconds = 0.0
        self.threads: set[int] = set()
        self._rounds = iter(rounds)

    def run_once(self) -> bool:
        self.threads.add(threading.get_ident())
        self.num_rounds += 1
        do = next(self._rounds, None)
        if do is None:
            self.is_done.set()
            return False
        return do()

    def close(self, seconds: float) -> None:
        self.threads.add(threading.get_ident())
        self.num_closed += 1
        self.closing_seconds = seconds

    def adopt(self, stream: str) -> None: ...

    def release(self, stream: str) -> None: ...


def raising(error: BaseException) -> Callable[..., bool]:
    def do(*_: object) -> bool:
        raise error

    return do


def work() -> bool:
    return True


class Run:
    """An engine thread with everything that it tells."""

    def __init__(self, *rounds: Callable[[], bool]) -> None:
        self.pipeline = ListedPipeline(rounds)
        self.metrics = Metrics(CollectorRegistry())
        self.num_beats = 0
        self.num_ends = 0
        self.thread = EngineThread(
            self.pipeline,
            self.metrics,
            beat=self._beat,
            ended=self._ended,
            seconds_left=lambda: 7.0,
        )

    def to_the_end(self) -> Run:
        self.thread.start()
        assert self.pipeline.is_done.wait(JOIN_SECONDS)
        self.thread.stop()
        return self.joined()

    def joined(self) -> Run:
        self.thread.join(JOIN_SECONDS)
        assert not self.thread.is_alive()
        return self

    def counted(self, name: str) -> float | None:
        return self.metrics.registry.get_sample_value(name)

    def _beat(self) -> None:
        self.num_beats += 1

    def _ended(self) -> None:
        self.num_ends += 1


def test_an_orderly_end_closes_the_pipeline_once() -> None:
    run = Run(work, work).to_the_end()
    assert run.thread.failure is None
    assert run.pipeline.num_closed == 1
    assert run.pipeline.closing_seconds == 7.0
    assert run.num_ends == 0


def test_one_thread_only_touches_the_pipeline() -> None:
    run = Run(work, work).to_the_end()
    assert run.pipeline.threads == {run.thread.ident}


def test_the_heart_beats_once_in_every_round() -> None:
    run = Run(work, work, work).to_the_end()
    assert run.num_beats == run.pipeline.num_rounds >= 4


@pytest.mark.parametrize("error", [ConnectionError("gone"), TimeoutError("late")])
def test_a_connection_error_is_counted_and_the_round_made_again(error: Exception) -> None:
    run = Run(work, raising(error), raising(error), work).to_the_end()
    assert run.thread.failure is None
    assert run.pipeline.num_closed == 1
    assert run.counted("weir_redis_connection_errors_total") == 2


@pytest.mark.parametrize(
    "error", [RuntimeError("bug"), AuthenticationError("wrong password"), SystemExit(3)]
)
def test_any_other_error_ends_the_thread_and_closes_nothing(error: BaseException) -> None:
    run = Run(work, raising(error), work)
    run.thread.start()
    run.joined()
    assert run.thread.failure is error
    assert run.pipeline.num_rounds == 2
    assert run.pipeline.num_closed == 0
    assert run.num_ends == 1
    assert run.counted("weir_engine_failures_total") == 1


def test_a_failure_while_closing_is_a_failure() -> None:
    run = Run()
    run.pipeline.close = raising(RuntimeError("disk full"))  # type: ignore[method-assign, assignment]
    run.to_the_end()
    assert str(run.thread.failure) == "disk full"
    assert run.num_ends == 1


def test_stopping_before_the_first_round_still_closes() -> None:
    run = Run(work)
    run.thread.stop()
    run.thread.start()
    run.joined()
    assert run.pipeline.num_rounds == 0
    assert run.pipeline.num_closed == 1
