"""The control messages: short, idempotent, safe to get twice, done in the order of their queue.

`adopt` is for the worker that gets the message. The others concern whoever owns the stream, which
is rarely the worker that gets the message: they become a durable request in the stream's own
`:requests` key, which the owner reads beside its input. Only then does the message leave the queue.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from celery.exceptions import Reject
from redis import Redis, RedisError

from worker.keyspace.lease import is_owned
from worker.keyspace.requests import Kind, request
from worker.keyspace.trouble import is_passing
from worker.process.messages import PREFIX

if TYPE_CHECKING:
    from celery import Celery, Task


class Adopter(Protocol):
    """The part of a pipeline that control messages reach; any thread may call it."""

    def adopt(self, stream: str) -> None: ...


class Control:
    """What a message does in this worker. Nothing here waits for the engine."""

    def __init__(self, redis: Redis, pipeline: Adopter) -> None:
        self._redis = redis
        self._pipeline = pipeline

    def adopt(self, stream: str) -> None:
        """Own the stream, if there is room here and nobody owns it."""
        self._pipeline.adopt(stream)

    def ask_owner(self, stream: str, kind: Kind, *, id: str, question: str = "") -> None:
        """Leave a request for the owner, and offer to be it if there is none."""
        request(self._redis, stream, kind, question=question, id=id)
        self.adopt(stream)

    def release(self, stream: str, *, id: str) -> None:
        """Ask the owner to let go. Nothing to do without one: the next would let go at once."""
        if is_owned(self._redis, stream):
            request(self._redis, stream, "release", id=id)


def adopt(task: Task, stream: str, *more: str) -> None:
    """Own these streams, as far as there is room here and nobody else owns them."""
    for name in (stream, *more):
        task.app.control_of_worker.adopt(name)


def release(task: Task, stream: str) -> None:
    """Let the stream go, for another worker to take."""
    with _again_if_it_passes():
        task.app.control_of_worker.release(stream, id=task.request.id)


def flush(task: Task, stream: str) -> None:
    """Bring transcript and summary up to the last entry now."""
    with _again_if_it_passes():
        task.app.control_of_worker.ask_owner(stream, "flush", id=task.request.id)


def ask(task: Task, stream: str, question: str) -> None:
    """Answer a question about the stream, once, in its `:answers`."""
    with _again_if_it_passes():
        control = task.app.control_of_worker
        control.ask_owner(stream, "ask", id=task.request.id, question=question)


def close(task: Task, stream: str) -> None:
    """End the stream: a last summary, then no owner any more."""
    with _again_if_it_passes():
        task.app.control_of_worker.ask_owner(stream, "close", id=task.request.id)


TASKS: tuple[Callable[..., None], ...] = (adopt, release, flush, ask, close)


def register(app: Celery) -> None:
    """Add the tasks to `app` as `weir.adopt`, `weir.release`, ...

    A task's id is its request's id, so a message that is done twice makes one request.
    """
    for function in TASKS:
        app.task(function, name=PREFIX + function.__name__, bind=True)


@contextmanager
def _again_if_it_passes() -> Iterator[None]:
    """The message stays where it is while the server takes no writes, or does not answer."""
    try:
        yield
    except RedisError as error:
        if not is_passing(error):
            raise
        raise Reject(f"Redis: {error}", requeue=True) from error
