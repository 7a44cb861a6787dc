"""Load moves: each worker says how much it has to do, and gives to those that have less.

One thread a process. It only plans and passes on: a stream is let go and taken up by the engine's
thread, and until that is done nothing of it has changed.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Protocol

from redis.exceptions import RedisError

from worker.keyspace.trouble import is_passing
from worker.keyspace.workers import Line, Order, Workers
from worker.process.balance import REMEMBERED_SECONDS, Gift, Load, Report, loads_of, receivers

log = logging.getLogger(__name__)

TURN_SECONDS = 1.0
STAYING_SECONDS = 20.0  # what was given here is not given on for so long
STILL_SECONDS = 10.0  # an engine that has not counted for so long is given nothing


class Mover(Protocol):
    """The part of a pipeline that moves streams; any thread may call it. busy: when it was counted,
    by the pipeline's clock, and the names of the streams that are load; first those that can go at
    once. is_draining: it takes no stream up."""

    owner: str
    busy: tuple[float, Sequence[str]]
    is_draining: bool

    def count(self) -> None:
        """Bring `busy` up to date soon."""

    def take(self, stream: str) -> None:
        """Own the stream that another worker gives to this one."""

    def hand(self, stream: str, receiver: str) -> None:
        """Give the stream to another worker, as soon as it can be saved."""

    def when_given(self, tell: Callable[[str, str], None]) -> None:
        """`tell` hears, on the engine's thread, of each stream that was let go, and whom for."""


class Balancer(threading.Thread):
    """Makes a turn every second: report, plan, give; and obeys orders as they come."""

    def __init__(
        self,
        streams: Mover,
        workers: Workers,
        *,
        num_places: int,
        staying_seconds: float = STAYING_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(name="weir-balancer", daemon=True)
        self._streams = streams
        self._workers = workers
        self._num_places = num_places
        self._staying_seconds = staying_seconds
        self._clock = clock
        self._gifts: list[Gift] = []
        self._taken: dict[str, float] = {}  # when, by the server's clock
        self._now = 0.0  # by the server's clock, at the last report
        self._stopping = threading.Event()
        streams.when_given(self._tell)

    def run(self) -> None:
        while not self._stopping.is_set():
            self._try_turn()
        with suppress(RedisError):  # the line is old in a few seconds all the same
            self._workers.leave(self._streams.owner)

    def _try_turn(self) -> None:
        try:
            self.turn()
            self.obey(TURN_SECONDS)
        except Exception as error:
            if is_passing(error):
                log.warning("No load moves: Redis: %s", error)
            else:
                log.exception("A turn of the balancer failed")
            self._stopping.wait(TURN_SECONDS)

    def stop(self) -> None:
        self._stopping.set()

    def turn(self) -> None:
        """Says how much there is to do here, and asks for what is too much to be given away."""
        self._streams.count()
        counted_at, busy = self._streams.busy
        if self._clock() - counted_at > STILL_SECONDS:
            return
        reports = self._report()
        last = self._now - self._staying_seconds
        staying = {name for name, at in self._taken.items() if at > last}
        staying |= {gift.stream for gift in self._gifts}
        free = [name for name in busy if name not in staying]
        chosen = receivers(loads_of(reports), self._streams.owner)
        for stream, receiver in zip(free, chosen, strict=False):
            log.info("%s: goes to %s, which has less to do", stream, receiver)
            self._gifts.append(Gift(stream, receiver, self._now))
            self._streams.hand(stream, receiver)
        if chosen:  # the others must not give for the same need
            self._report()

    def obey(self, seconds: float) -> None:
        """Waits for orders for so long."""
        until = self._clock() + seconds
        while (left := until - self._clock()) > 0 and not self._stopping.is_set():
            order = self._workers.next_order(self._streams.owner, timeout_seconds=left)
            if order:
                self._carry_out(order)

    def _carry_out(self, order: Order) -> None:
        if order.verb == "take":
            self._taken[order.stream] = self._now
            self._gifts = [gift for gift in self._gifts if gift.stream != order.stream]
            self._streams.take(order.stream)
        elif order.verb == "give":
            self._streams.hand(order.stream, order.worker)
        else:
            log.info("asked to %s", order.verb)
            self._streams.is_draining = order.verb == "drain"

    def _tell(self, stream: str, receiver: str) -> None:
        """On the engine's thread: the stream has no owner now."""
        self._workers.send(receiver, Order("take", stream, self._streams.owner))

    def _report(self) -> dict[str, Report]:
        given = {gift.stream for gift in self._gifts}
        taken = [n for n, at in self._taken.items() if at > self._now - REMEMBERED_SECONDS]
        here = {*self._streams.busy[1], *taken} - given
        said = {
            "streams": len(here),
            "places": 0 if self._streams.is_draining else self._num_places,
            "gifts": [[gift.stream, gift.receiver, gift.given_at] for gift in self._gifts],
            "taken": taken,
        }
        lines = self._workers.report(self._streams.owner, said)
        self._now = lines[self._streams.owner].at
        self._forget_old()
        found = {name: _report_in(line) for name, line in lines.items()}
        return {name: report for name, report in found.items() if report}

    def _forget_old(self) -> None:
        now = self._now
        self._gifts = [gift for gift in self._gifts if now - gift.given_at < REMEMBERED_SECONDS]
        self._taken = {name: at for name, at in self._taken.items() if now - at < STAYING_SECONDS}


def _report_in(line: Line) -> Report | None:
    """None if somebody else wrote it."""
    said: dict[str, Any] = line.said
    try:
        load = Load(int(said["streams"]), int(said["places"]))
        gifts = tuple(Gift(str(s), str(to), float(at)) for s, to, at in said["gifts"])
        return Report(line.at, load, gifts, tuple(map(str, said["taken"])))
    except (KeyError, TypeError, ValueError):
        return None
