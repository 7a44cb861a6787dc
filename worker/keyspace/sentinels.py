"""Connections to whichever server the sentinels call the primary at the time.

A connection that is made asks them first, and the server that they name whether it is one. It is
over when the server is none any more: it says so to a write, or to a read that waits. For some
seconds after another was named it may not know it yet, and take writes that will be lost; so the
sentinels are asked again every second in which something is sent.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, NoReturn

from redis import ConnectionPool, Redis
from redis.connection import AbstractConnection
from redis.exceptions import AuthenticationError, ReadOnlyError, RedisError, ResponseError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from worker.settings.server import Place

ASKED_SECONDS = 1.0
UNANSWERED_SECONDS = 10.0  # to ask in vain may take seconds

Options = Mapping[str, Any]


class NoPrimary(RedisConnectionError):
    """No sentinel says where the primary is. todo: what a person must do; "" if it may pass."""

    def __init__(self, text: str, todo: str) -> None:
        super().__init__(text)
        self.todo = todo


class Sentinels:
    """Those that watch the primary called `name`; options: of a pool that connects to each."""

    def __init__(
        self,
        name: str,
        options: Sequence[Options],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name = name
        self._options = list(options)
        self._clock = clock
        self._named: Place | None = None
        self._ask_again_at = clock()

    def name_another(self, place: Place) -> bool:
        """Whether the primary is not there, as they said a second ago or say now. While none of
        them answers, it is where it was."""
        if self._clock() >= self._ask_again_at:
            self._ask_again_at = self._clock() + UNANSWERED_SECONDS  # one thread asks for all
            with suppress(RedisError):
                next(self.places())
        return self._named not in (None, place)

    def places(self) -> Iterator[Place]:
        """Where the primary is, as one sentinel after another says; each place once. Who answers
        is asked first the next time. Raises NoPrimary if nobody does."""
        known: set[Place] = set()
        trouble: dict[str, RedisError | None] = {}
        for one in self._options:
            try:
                place = self._ask(one)
            except RedisError as error:
                trouble[_where(one)] = error
                continue
            if place is None:
                trouble[_where(one)] = None
            elif place not in known:
                known.add(place)
                self._options = [one, *(other for other in self._options if other is not one)]
                self._named, self._ask_again_at = place, self._clock() + ASKED_SECONDS
                yield place
        if not known:
            raise self._no_primary(trouble) from next(filter(None, trouble.values()), None)

    def _ask(self, options: Options) -> Place | None:
        with Redis.from_pool(ConnectionPool(**options)) as sentinel:
            reply: Any = sentinel.execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self._name)
        return None if reply is None else (reply[0].decode(), int(reply[1]))

    def _no_primary(self, trouble: dict[str, RedisError | None]) -> NoPrimary:
        said = [f"{where}: {error or 'knows none'}" for where, error in trouble.items()]
        text = f"no sentinel names a primary called {self._name!r} ({'; '.join(said)})"
        todo = (_todo(where, error, self._name) for where, error in trouble.items())
        return NoPrimary(text, next(filter(None, todo), ""))


class OfPrimary(AbstractConnection):
    """Mixed into a connection: it is to the primary, wherever that is when it is made."""

    def __init__(self, *, sentinels: Sentinels, **options: Any) -> None:
        super().__init__(**options)
        self._sentinels = sentinels

    def connect_check_health(self, *args: Any, **options: Any) -> None:
        if self._sock:
            return
        trouble: RedisError | None = None
        for place in self._sentinels.places():
            trouble = self._try(place, partial(super().connect_check_health, *args, **options))
            if not trouble:
                return
        if trouble:
            raise trouble

    def _try(self, place: Place, connect: Callable[[], object]) -> RedisError | None:
        self.host, self.port = place
        try:
            connect()
        except (RedisConnectionError, RedisTimeoutError) as error:
            return error  # it is dead, or another is the primary: not all sentinels may know yet
        return None

    def on_connect_check_health(self, check_health: bool = True) -> None:
        super().on_connect_check_health(check_health=check_health)
        # ROLE would need a right of its own; this needs none.
        self.send_command("HELLO", 2, check_health=False)  # type: ignore[no-untyped-call]
        flat: list[Any] = self.read_response()
        if dict(zip(flat[::2], flat[1::2], strict=True))[b"role"] != b"master":
            raise RedisConnectionError(f"{self.host}:{self.port} is a replica, not the primary")

    def check_health(self) -> None:
        super().check_health()  # type: ignore[no-untyped-call]
        if self._sentinels.name_another((self.host, self.port)):
            self._end()

    def read_response(self, *args: Any, **options: Any) -> Any:
        try:
            return super().read_response(*args, **options)
        except ResponseError as error:
            if not isinstance(error, ReadOnlyError) and not str(error).startswith("UNBLOCKED"):
                raise
            self._end()

    def _end(self) -> NoReturn:
        self.disconnect()  # type: ignore[no-untyped-call]
        raise RedisConnectionError(f"{self.host}:{self.port} is no primary any more")


def _where(options: Options) -> str:
    return f"{options['host']}:{options['port']}"


def _todo(where: str, error: RedisError | None, name: str) -> str:
    if error is None:
        return (
            f"{where} knows no primary {name!r}: its name stands last, as in sentinel://HOST/NAME"
        )
    if isinstance(error, AuthenticationError) or str(error).startswith("NOAUTH"):
        return (
            f"{where} wants a password of its own, or another: set WEIR_SENTINEL_PASSWORD or "
            "WEIR_SENTINEL_PASSWORD_FILE"
        )
    if "unknown command" in str(error):
        return f"{where} is a server and no sentinel: begin WEIR_REDIS_URL with redis://"
    return ""
