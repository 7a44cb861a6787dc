"""Moments of a worker's life that have names, in the worker's own process, and an end at one of
them: the worker kills or freezes itself there, so that a death can be put between any two commands.

    commit.sent.EVALSHA     the server has got the commit, the worker has not heard of it
    open.replied.HGETALL    in the middle of taking a stream up
    summary.step            a step of the engine while a summary (or an answer) is being written

A name is what the engine's thread is doing, then `before`, `sent` or `replied` and the command, or
a moment of its own. The product knows nothing of this: what it calls is wrapped here.
"""

from __future__ import annotations

import functools
import os
import signal
import threading
from collections.abc import Callable
from fnmatch import fnmatch
from typing import Any
from weakref import WeakSet

from redis.connection import AbstractConnection

from engine import Engine
from worker.keyspace.committer import Committer
from worker.keyspace.lease import Leases
from worker.keyspace.source import Source
from worker.owner import ownership
from worker.stream.snapshots import Snapshots
from worker.views.restore import Restorer

# What `spawn(at=...)` may be told; `*` in a name stands for whatever command comes there.
MOMENTS = (
    "acquire.before.*",
    "acquire.sent.*",
    "acquire.replied.*",
    "acquire.end",
    "open.before.*",
    "open.sent.*",
    "open.replied.*",
    "open.end",
    "read.before.*",
    "read.sent.*",
    "read.replied.*",
    "read.end",
    "step.begin",
    "step.end",
    "summary.step",
    "restore.step",
    "save.begin",
    "save.draft",
    "save.renamed",
    "save.end",
    "commit.begin",
    "commit.before.*",
    "commit.sent.*",
    "commit.replied.*",
    "commit.end",
    "keep.end",
    "renew.before.*",
    "renew.sent.*",
    "renew.replied.*",
    "renew.end",
)
DEEDS = {"kill": signal.SIGKILL, "freeze": signal.SIGSTOP}


class Moments:
    """Counts the moments whose name fits, and does the deed at the last of them, once."""

    def __init__(self, pattern: str, count: int, deed: signal.Signals) -> None:
        self._pattern = pattern
        self._left = count
        self._deed = deed
        self._doing = ["other"]
        self._copies: WeakSet[Any] = WeakSet()
        self._restorations: WeakSet[Any] = WeakSet()

    @classmethod
    def from_environment(cls) -> Moments | None:
        pattern = os.environ.get("CHAOS_AT")
        if not pattern:
            return None
        return cls(pattern, int(os.environ["CHAOS_COUNT"]), DEEDS[os.environ["CHAOS_DEED"]])

    def install(self) -> None:
        self._name(Leases, "acquire", "acquire")
        self._name(Leases, "renew", "renew")
        self._name(ownership, "open_stream", "open")
        self._name(Source, "read", "read")
        self._name(Snapshots, "save", "save")
        self._name(Snapshots, "keep_only", "keep")
        self._name(Committer, "commit", "commit")
        self._name(Engine, "step", "step")
        self._after(Engine, "fork", self._copies.add)
        self._after(Restorer, "begin", self._restorations.add)
        self._before(Engine, "step", self._note_step)
        self._name_commands()
        self._name_renaming()

    def _pass(self, name: str) -> None:
        if threading.current_thread().name == "weir-engine" and fnmatch(name, self._pattern):
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), self._deed)

    def _note_step(self, *_: object) -> None:
        if any(not copy.is_closed for copy in self._copies):
            self._pass("summary.step")
        if self._restorations:
            self._pass("restore.step")

    def _name(self, owner: Any, attribute: str, doing: str) -> None:
        original = getattr(owner, attribute)

        @functools.wraps(original)
        def named(*args: Any, **options: Any) -> Any:
            self._doing.append(doing)
            self._pass(f"{doing}.begin")
            try:
                return original(*args, **options)
            finally:
                self._pass(f"{doing}.end")
                self._doing.pop()

        setattr(owner, attribute, named)

    def _after(self, owner: Any, attribute: str, note: Callable[[Any], object]) -> None:
        original = getattr(owner, attribute)

        @functools.wraps(original)
        def noted(*args: Any, **options: Any) -> Any:
            result = original(*args, **options)
            note(result)
            return result

        setattr(owner, attribute, noted)

    def _before(self, owner: Any, attribute: str, note: Callable[..., object]) -> None:
        original = getattr(owner, attribute)

        @functools.wraps(original)
        def noted(*args: Any, **options: Any) -> Any:
            note(*args)
            return original(*args, **options)

        setattr(owner, attribute, noted)

    def _name_commands(self) -> None:
        send, receive = AbstractConnection.send_packed_command, AbstractConnection.read_response
        last: dict[int, str] = {}

        def named_send(connection: Any, command: Any, check_health: bool = True) -> None:
            parts = [command] if isinstance(command, str | bytes) else list(command)
            name = last[id(connection)] = _command_of(parts)
            self._pass(f"{self._doing[-1]}.before.{name}")
            send(connection, parts, check_health)
            self._pass(f"{self._doing[-1]}.sent.{name}")

        def named_receive(connection: Any, *args: Any, **options: Any) -> Any:
            reply = receive(connection, *args, **options)
            self._pass(f"{self._doing[-1]}.replied.{last.get(id(connection), '')}")
            return reply

        AbstractConnection.send_packed_command = named_send  # type: ignore[method-assign]
        AbstractConnection.read_response = named_receive  # type: ignore[method-assign]

    def _name_renaming(self) -> None:
        from engine.parking import snapshot  # noqa: PLC0415

        class NamedPath(type(snapshot.Path())):  # type: ignore[misc]
            def replace(path, target: Any) -> Any:
                self._pass(f"{self._doing[-1]}.draft")
                result = super().replace(target)
                self._pass(f"{self._doing[-1]}.renamed")
                return result

        original = snapshot._write_atomically

        def write(path: Any, content: bytes, **options: Any) -> None:
            original(NamedPath(path), content, **options)

        snapshot._write_atomically = write


def _command_of(parts: list[Any]) -> str:
    """The name of the first command of what is sent: `*3 $7 EVALSHA ...`."""
    head = parts[0] if isinstance(parts[0], bytes) else str(parts[0]).encode()
    lines = bytes(head[:64]).split(b"\r\n")
    return lines[2].decode("ascii", "replace") if len(lines) > 2 else ""
