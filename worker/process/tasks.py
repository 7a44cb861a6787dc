"""The control messages: short, idempotent, safe to lose and safe to get twice.

`adopt` is for the worker that gets the message. The others concern whoever owns the stream, which
is rarely the worker that gets the message: they become a durable request in the stream's own
`:requests` key, which the owner reads beside its input.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from redis import Redis

from worker.keyspace.keys import is_own_key
from worker.keyspace.lease import is_owned
from worker.keyspace.requests import Kind, request

if TYPE_CHECKING:
    from celery import Celery, Task

ADOPT = "weir.adopt"


class Adopter(Protocol):
    """The part of a pipeline that control messages reach; any thread may call it."""

    def adopt(self, stream: str) -> None: ...


class Control:
    """What a message does in this worker. Nothing here waits for the engine."""

    def __init__(self, redis: Redis, pipeline: Adopter) -> None:
        self._redis = redis
        self._pipeline = pipeline

    def adopt(self, stream: str) -> None:
        """Own the stream, if there is room here and nobody owns it. ValueError: a key of ours."""
        if is_own_key(stream):
            raise ValueError(f"{stream!r} is written by Weir itself and cannot be an input")
        self._pipeline.adopt(stream)

    def ask_owner(self, stream: str, kind: Kind, *, id: str, question: str = "") -> None:
        """Leave a request for the owner, and offer to be it if there is none."""
        request(self._redis, stream, kind, question=question, id=id)
        self.adopt(stream)

    def release(self, stream: str, *, id: str) -> None:
        """Ask the owner to let go. Nothing to do without one: the next would let go at once."""
        if is_owned(self._redis, stream):
            request(self._redis, stream, "release", id=id)


def adopt(task: Task, stream: str) -> None:
    """Own this stream, if there is room here and nobody else owns it."""
    task.app.control_of_worker.adopt(stream)


def release(task: Task, stream: str) -> None:
    """Let the stream go, for another worker to take."""
    task.app.control_of_worker.release(stream, id=task.request.id)


def flush(task: Task, stream: str) -> None:
    """Bring transcript and summary up to the last entry now."""
    task.app.control_of_worker.ask_owner(stream, "flush", id=task.request.id)


def ask(task: Task, stream: str, question: str) -> None:
    """Answer a question about the stream, once, in its `:answers`."""
    task.app.control_of_worker.ask_owner(stream, "ask", id=task.request.id, question=question)


def close(task: Task, stream: str) -> None:
    """End the stream: a last summary, then no owner any more."""
    task.app.control_of_worker.ask_owner(stream, "close", id=task.request.id)


TASKS: tuple[Callable[..., None], ...] = (adopt, release, flush, ask, close)


def register(app: Celery) -> None:
    """Add the tasks to `app` as `weir.adopt`, `weir.release`, ...

    A task's id is its request's id, so a message that is delivered twice makes one request.
    """
    for function in TASKS:
        app.task(function, name=f"weir.{function.__name__}", bind=True)
