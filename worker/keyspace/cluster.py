"""A Redis Cluster that is spoken to as one server: each command goes to the node that has its key.

One stream's keys share a slot, and every command of ours is about one stream or none. What asks
about many streams goes out once to each node. While a slot moves from one node to another, nodes
say where a key is (MOVED, ASK), or that some of a script's keys are here and some there (TRYAGAIN).

Where no answer comes, it forgets who has which slot and raises, and the next command asks anew.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from redis import ConnectionPool, Redis
from redis.client import Pipeline
from redis.exceptions import (
    AskError,
    ClusterDownError,
    MovedError,
    NoScriptError,
    RedisError,
    ResponseError,
    TryAgainError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from worker.keyspace.keys import cluster_slot
from worker.settings.server import Place

_EVERYWHERE = ("PING", "SCRIPT LOAD")
_ANYWHERE = ("TIME", "INFO")
_AWAY = (RedisConnectionError, RedisTimeoutError, ClusterDownError)
_ELSEWHERE = (AskError, MovedError, TryAgainError)
_MOST_TRIES = 8
_TRY_AGAIN_SECONDS = 0.005
# No command can wait for keys of several slots: whoever waits for entries asks again and again, and
# rests for some times as long as the asking took.
_RESTS, _LEAST_REST_SECONDS = 4, 0.02

Command = tuple[Any, ...]


class Cluster(Redis):
    """The nodes, each with connections as `options` say; `hosts` are some of them."""

    def __init__(self, hosts: Sequence[Place], options: Mapping[str, Any]) -> None:
        self._hosts = tuple(hosts)
        self._options = options
        self._nodes: dict[Place, Redis] = {}
        self._slots: dict[int, Place] = {}
        super().__init__(connection_pool=self.node(hosts[0]).connection_pool)

    def node(self, place: Place) -> Redis:
        """The node there, as a server of its own."""
        if place not in self._nodes:
            options = {**self._options, "host": place[0], "port": place[1]}
            self._nodes[place] = Redis.from_pool(ConnectionPool(**options))
        return self._nodes[place]

    def primaries(self) -> dict[str, Redis]:
        """The nodes that have slots now, by host and port."""
        return {
            f"{host}:{port}": self.node((host, port)) for host, port in {*self._look().values()}
        }

    def place_of(self, command: Command) -> Place:
        """Which node has the command's keys, as far as is known."""
        slot = cluster_slot(_key(command))
        place = self._slots.get(slot) or self._look().get(slot)
        if place is None:
            raise ClusterDownError(f"no node has slot {slot}")
        return place

    def forget(self) -> None:
        """Who has which slot may have changed."""
        self._slots = {}

    def close(self) -> None:
        for node in self._nodes.values():
            node.close()

    # ---- as redis-py calls them

    def execute_command(self, *args: Any, **options: Any) -> Any:
        if args[0] in _EVERYWHERE:
            return [self._do(node, args, options) for node in self.primaries().values()][-1]
        if args[0] in _ANYWHERE:
            return self._do(next(iter(self.primaries().values())), args, options)
        place, is_asked = self.place_of(args), False
        for _ in range(_MOST_TRIES):
            reply = self._reply(place, args, options, is_asked=is_asked)
            if not isinstance(reply, _ELSEWHERE):
                return reply
            place, is_asked = self._where_to(reply, place, args)
        raise reply

    def pipeline(self, transaction: bool = True, shard_hint: Any = None) -> Pipeline:
        """Commands in their order, but not all at one moment: they may be for several nodes."""
        return _Pipeline(self, transaction, shard_hint)

    def scan_iter(self, *args: Any, **options: Any) -> Any:
        return (
            key for node in self.primaries().values() for key in node.scan_iter(*args, **options)
        )

    def xread(  # type: ignore[override]  # no other option is ours
        self, streams: Mapping[Any, Any], count: int | None = None, block: int | None = None
    ) -> Any:
        """As XREAD on one server, for keys of any slots. `block` is in ms; 0 is not for ever."""
        until = time.monotonic() + (block or 0) / 1000
        while True:
            began_at = time.monotonic()
            with self.pipeline(transaction=False) as pipe:
                for key, after in streams.items():
                    pipe.xread({key: after}, count=count)
                found = [entries for reply in pipe.execute() for entries in reply]
            now = time.monotonic()
            if found or now >= until:
                return found
            rest = max(_LEAST_REST_SECONDS, _RESTS * (now - began_at))
            time.sleep(min(rest, until - now))

    # ---- redirections

    def _reply(self, place: Place, args: Command, options: Any, *, is_asked: bool) -> Any:
        """A redirection is returned, every other error raised."""
        try:
            return self._do(self.node(place), args, options, is_asked=is_asked)
        except _ELSEWHERE as elsewhere:
            return elsewhere

    def _where_to(self, elsewhere: Any, place: Place, args: Command) -> tuple[Place, bool]:
        """Where to send the command next, and whether that node is only asked this once."""
        if isinstance(elsewhere, TryAgainError):
            time.sleep(_TRY_AGAIN_SECONDS)
            return self.place_of(args), False
        there = (elsewhere.host or place[0], elsewhere.port)
        if not isinstance(elsewhere, MovedError):
            return there, True
        self._slots[elsewhere.slot_id] = there
        return there, False

    def _do(self, node: Redis, args: Command, options: Any, *, is_asked: bool = False) -> Any:
        try:
            if not is_asked:
                return node.execute_command(*args, **options)  # type: ignore[no-untyped-call]
            with node.pipeline(transaction=False) as pipe:
                pipe.execute_command("ASKING")  # type: ignore[no-untyped-call]
                pipe.execute_command(*args, **options)  # type: ignore[no-untyped-call]
                reply = pipe.execute(raise_on_error=False)[1]
        except _AWAY:
            self.forget()
            raise
        if isinstance(reply, Exception):
            raise reply
        return reply

    def _look(self) -> dict[int, Place]:
        """Which node has which slot, by the account of the first that answers."""
        trouble: RedisError = ClusterDownError("no node has any slot")
        for place in dict.fromkeys([*self._slots.values(), *self._hosts, *self._nodes]):
            slots = self._slots_by(place)
            if isinstance(slots, RedisError):
                trouble = slots
            elif slots:
                self._slots = slots
                return slots
        raise trouble

    def _slots_by(self, place: Place) -> dict[int, Place] | RedisError:
        try:
            reply = self.node(place).execute_command("CLUSTER", "SLOTS")  # type: ignore[no-untyped-call]
        except _AWAY as error:
            return error
        return _slots(reply, place)


class _Pipeline(Pipeline):
    def __init__(self, cluster: Cluster, transaction: bool, shard_hint: Any) -> None:
        super().__init__(cluster.connection_pool, cluster.response_callbacks, False, shard_hint)
        if transaction:
            raise ValueError("there are none on a cluster: transaction=False")
        self._cluster = cluster

    def execute(self, raise_on_error: bool = True) -> list[Any]:
        stack, scripts = self.command_stack, self.scripts
        self.reset()
        replies: list[Any] = [None] * len(stack)
        by_node: dict[Place, list[int]] = defaultdict(list)
        for number, (args, _) in enumerate(stack):
            by_node[self._cluster.place_of(args)].append(number)
        for place, numbers in by_node.items():
            found = self._send(place, [stack[number] for number in numbers], scripts)
            for number, reply in zip(numbers, found, strict=True):
                replies[number] = reply
        for number, reply in enumerate(replies):
            if isinstance(reply, _ELSEWHERE):
                replies[number] = self._follow(stack[number], scripts)
        errors = (reply for reply in replies if isinstance(reply, Exception))
        if raise_on_error and (error := next(errors, None)):
            raise error
        return replies

    def _send(self, place: Place, stack: Sequence[Any], scripts: set[Any]) -> list[Any]:
        with self._cluster.node(place).pipeline(transaction=False) as pipe:
            pipe.scripts = set(scripts)
            for args, options in stack:
                pipe.execute_command(*args, **options)  # type: ignore[no-untyped-call]
            try:
                return list(pipe.execute(raise_on_error=False))
            except _AWAY:
                self._cluster.forget()
                raise

    def _follow(self, command: Any, scripts: set[Any]) -> Any:
        args, options = command
        try:
            return self._cluster.execute_command(*args, **options)
        except NoScriptError:  # it is another node
            for script in scripts:
                self._cluster.script_load(script.script)
            return self._cluster.execute_command(*args, **options)
        except ResponseError as error:
            return error


def whole_replies(pipe: Pipeline, *, moving: Any) -> list[Any]:
    """Replies to scripts, one for each stream; `moving` of one whose keys are between two nodes."""
    replies = pipe.execute(raise_on_error=False)
    for error in replies:
        if isinstance(error, Exception) and not isinstance(error, TryAgainError):
            raise error
    return [moving if isinstance(reply, TryAgainError) else reply for reply in replies]


def nodes(redis: Redis) -> dict[str, Redis]:
    """Each server that has keys, by a name of its own: there is one, if it is no cluster."""
    return redis.primaries() if isinstance(redis, Cluster) else {"": redis}


def _key(command: Command) -> str:
    name = command[0]
    if name in ("EVALSHA", "EVAL"):
        at = 3
    elif name == "XREAD":
        at = command.index(b"STREAMS") + 1
    else:
        at = 1
    key = command[at]
    return key.decode() if isinstance(key, bytes) else key


def _slots(reply: Sequence[Any], asked: Place) -> dict[int, Place]:
    """A node may leave its own host out, or not know it."""
    places: dict[int, Place] = {}
    for first, last, (host, port, *_), *_ in reply:
        name = host.decode() if host not in (None, b"", b"?") else asked[0]
        places |= dict.fromkeys(range(first, last + 1), (name, port))
    return places
