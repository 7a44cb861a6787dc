"""Forks workers from a process that has imported everything once, so that one starts in half a
second and not in six: `python -m tests.chaos.nursery`.

A worker is a process of its own in all that matters here: it opens its sockets and threads, and
dies alone. Only the weights come with the fork. Lines in: what to start, as JSON. Lines out: the
number of each process that was started, and later how it ended.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import sys
from pathlib import Path
from typing import Any, NoReturn

_POLL_SECONDS = 0.02
_PR_SET_PDEATHSIG = 1


def main() -> None:
    load_weights_once()
    say(ready=True)
    waiting = b""
    while True:
        if select.select([0], [], [], _POLL_SECONDS)[0]:
            read = os.read(0, 65536)
            if not read:
                return  # whoever started it is gone; its workers go with it
            *lines, waiting = (waiting + read).split(b"\n")
            for line in lines:
                start(json.loads(line))
        reap()


def load_weights_once() -> None:
    """All that is slow in a start: the imports, and the bundled model."""
    import worker.pipeline  # noqa: F401, PLC0415
    from engine import EngineConfig  # noqa: PLC0415
    from engine import engine as engine_module  # noqa: PLC0415

    loaded = engine_module.load(EngineConfig(model="bundled", num_threads=1))
    engine_module.load = lambda _: loaded


def start(order: dict[str, Any]) -> None:
    pid = os.fork()
    if pid == 0:
        become_worker(order)
    say(name=order["name"], pid=pid)


def become_worker(order: dict[str, Any]) -> NoReturn:
    from celery.__main__ import main as celery  # noqa: PLC0415

    # A shell starts what is in its background with SIGINT ignored, and so would we be until Celery
    # has set its own: a SIGINT that comes before must end us as it ends any other.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.close(nothing)
    os.close(log)
    os.environ.update(order["environment"])
    status = 1
    try:
        sys.argv = ["celery", "-A", "tests.chaos.app", "worker", "--loglevel=INFO"]
        celery()
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
        if isinstance(end.code, str):
            sys.stderr.write(f"{end.code}\n")
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def reap() -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        say(ended=pid, status=os.waitstatus_to_exitcode(status))


def say(**what: Any) -> None:
    os.write(1, json.dumps(what).encode() + b"\n")


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))
    main()
