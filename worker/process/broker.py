"""Celery's transport: kombu's for Redis, but for how it connects and how it takes messages.

It connects as all of Weir does, with everything that the address says. And it takes nothing out of
the queue: a message lies there until it is done (see worker/keyspace/control_queue.py), is read by
our own rules, and Celery gets what these have left of it, one message at a time.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from queue import Empty
from time import monotonic
from typing import Any

from kombu.transport import redis as kombu_redis
from kombu.transport import virtual
from redis import Redis

from worker.keyspace.connection import pool_options
from worker.keyspace.control_queue import PEEK, ControlQueue
from worker.process.messages import ADOPT, BadMessage, ControlMessage, envelope, read_message
from worker.settings.server import Server

logger = logging.getLogger(__name__)

ASIDE = "rejected"
"""With the broker's prefix, the stream of messages that were set aside."""


@dataclass(frozen=True)
class InHand:
    """The one message that is being done."""

    lies_in: ControlQueue
    raw: bytes
    is_ours: bool  # it is out of the queue already


class OneAtATime(virtual.QoS):
    """How a message that Celery was given ends: done, impossible, or to be done again."""

    def can_consume(self) -> bool:
        return len(self._delivered) == len(self._dirty)

    def ack(self, delivery_tag: str) -> None:
        self.channel.finish()
        super().ack(delivery_tag)

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        if not requeue:  # else it still lies where it was
            self.channel.give_up("failed", "it could not be done; the worker's log says why")
        super().ack(delivery_tag)


class Channel(kombu_redis.Channel):
    QoS = OneAtATime
    do_restore = False  # nothing was taken away
    from_transport_options = (
        *kombu_redis.Channel.from_transport_options,
        *("server", "count_rejected"),
    )

    server: Server
    count_rejected: Callable[[str], None]
    """Told the kind of each message that this process has set aside."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._queues: dict[str, ControlQueue] = {}
        self._in_hand: InHand | None = None
        self._asked = ""
        super().__init__(*args, **kwargs)

    def finish(self) -> None:
        """What is in hand is done."""
        if self._in_hand and not self._in_hand.is_ours:
            self._in_hand.lies_in.remove(self._in_hand.raw)
        self._in_hand = None

    def give_up(self, kind: str, reason: str) -> None:
        """What is in hand cannot be done."""
        if self._in_hand:
            self._set_aside(self._in_hand.lies_in, self._in_hand.raw, kind, reason)
        self._in_hand = None

    def close(self) -> None:
        # kombu would wait for the reply that is under way, for as long as the server's clock says.
        self._in_poll = None
        super().close()

    # ---- as kombu calls them

    def _connparams(self, asynchronous: bool = False) -> dict[str, Any]:
        options = pool_options(self.server, self.brpop_timeout)
        if asynchronous:
            options["connection_class"] = _polled(self, options["connection_class"])
        return options

    def _brpop_start(self, timeout: float | None = None) -> None:
        queues = self._queue_cycle.consume(1)
        if not queues:
            return
        self._asked = queues[0]
        lies_in = self._queue(self._asked)
        priorities = [self._q_for_pri(self._asked, step) for step in self.priority_steps if step]
        lies_in.gather([self.global_keyprefix + name for name in priorities])
        self._brpop_sent_at = monotonic()
        self._in_poll = connection = self.client.connection
        connection.send_command(*lies_in.peek_command(timeout or self.brpop_timeout))

    def _brpop_read(self, **options: Any) -> bool:
        connection = self.client.connection
        try:
            raw = self.client.parse_response(connection, PEEK, **options)
        except self.connection_errors:
            connection.disconnect()
            raise
        finally:
            self._in_poll = None
        self._queue_cycle.rotate(self._asked)
        if raw is None:
            raise Empty
        self._take(self._queue(self._asked), raw)
        return True

    def _take(self, lies_in: ControlQueue, raw: bytes) -> None:
        try:
            message = read_message(raw, datetime.now(timezone.utc))
        except BadMessage as bad:
            self._set_aside(lies_in, raw, bad.kind, str(bad))
            return
        # To be offered a stream is for one worker; the reconciler offers it again if that one dies.
        is_ours = message.verb == ADOPT
        if is_ours and not lies_in.remove(raw):
            return
        self._in_hand = InHand(lies_in, raw, is_ours)
        self._deliver(message)

    def _deliver(self, message: ControlMessage) -> None:
        self.connection._deliver(envelope(message, self._asked), self._asked)

    def _set_aside(self, lies_in: ControlQueue, raw: bytes, kind: str, reason: str) -> None:
        if lies_in.set_aside(raw, reason=kind, detail=reason):
            self.count_rejected(kind)
            where = self.global_keyprefix + ASIDE
            logger.warning("A control message is set aside in %s: %s", where, reason)

    def _queue(self, name: str) -> ControlQueue:
        if name not in self._queues:
            redis = Redis(connection_pool=self.pool)
            key, aside = self.global_keyprefix + name, self.global_keyprefix + ASIDE
            self._queues[name] = ControlQueue(redis, key, aside=aside)
        return self._queues[name]


class Transport(kombu_redis.Transport):
    Channel = Channel
    can_parse_url = True  # or rather: kombu should not, it is for people to read


def _polled(channel: Channel, base: type) -> type:
    """Connections that leave kombu's event loop when they end, as its own do."""

    class Polled(base):  # type: ignore[misc]
        def disconnect(self, *args: Any, **kwargs: Any) -> None:
            super().disconnect(*args, **kwargs)
            if channel._registered:
                channel._on_connection_disconnect(self)

    return Polled
