"""The process that is forked: `python -m tests.forks.server ADDRESS`.

It has imported what engine, worker and Celery need, and has run none of it: a program that comes
from it is as new as one that was started, but for that. It ends with its standard input, and all
programs end with it.
"""

from __future__ import annotations

import ast
import atexit
import ctypes
import gc
import io
import os
import runpy
import selectors
import signal
import socket
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from typing import Any, NoReturn

# None of these reads the environment for anything that a test would change.
IMPORTED = (
    *("worker.pipeline", "worker.app", "worker.process.bootstep", "celery.bin.worker"),
    *(f"worker.commands.{name}" for name in ("publish", "tail", "export", "chat", "worker")),
    *("engine.evals.picture", "peft"),
)
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Order:
    """What a stand-in asks for."""

    words: list[str]
    folder: str
    environment: dict[str, str]
    ignored: list[int]
    files: list[int]


class Server:
    """One thread, for a fork takes no other along. `programs`: by the connection of each stand-in;
    whoever hangs up wants the program to be gone."""

    def __init__(self, address: str) -> None:
        self.programs: dict[socket.socket, int] = {}
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(address)
        self._listener.listen(64)
        self._events = selectors.DefaultSelector()
        self._told, tell = os.pipe()
        os.set_blocking(tell, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(tell, warn_on_full_buffer=False)
        for source in (self._listener, self._told, 0):
            self._events.register(source, selectors.EVENT_READ)

    def next_order(self) -> Order | None:
        """In a new process: what it is to become. In the server's: None, when it is to end."""
        while True:
            for key, _ in self._events.select():
                if key.fileobj == 0:
                    return None
                if key.fileobj == self._told:
                    os.read(self._told, 4096)
                    self._reap()
                elif key.fileobj is not self._listener:
                    self._pass_on(key.fileobj)
                elif order := self._accept():
                    return order

    def _accept(self) -> Order | None:
        connection, _ = self._listener.accept()
        order = read_order(connection)
        import_all()
        pid = os.fork()
        if pid == 0:
            self._forget()
            return order
        for file in order.files:
            os.close(file)
        self.programs[connection] = pid
        self._events.register(connection, selectors.EVENT_READ)
        return None

    def _forget(self) -> None:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._events.close()
        self._listener.close()
        for connection in self.programs:
            connection.close()

    def _pass_on(self, connection: Any) -> None:
        if connection not in self.programs:  # it has ended since
            return
        said = connection.recv(64)
        for number in said.split() or [signal.SIGKILL]:
            os.kill(self.programs[connection], int(number))
        if not said:
            self._events.unregister(connection)

    def _reap(self) -> None:
        for connection, pid in list(self.programs.items()):
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                del self.programs[connection]
                with suppress(KeyError):  # it has hung up
                    self._events.unregister(connection)
                with suppress(BrokenPipeError):
                    connection.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))
                connection.close()


def read_order(connection: socket.socket) -> Order:
    said, files, _, _ = socket.recv_fds(connection, 4096, 3)
    size, _, text = said.partition(b"\n")
    while len(text) < int(size):
        text += connection.recv(1 << 16)
    return Order(*ast.literal_eval(text.decode()), files)


def import_all() -> None:
    """Once. Nothing of it is garbage, and its pages stay shared."""
    if IMPORTED[0] not in sys.modules:
        gc.disable()
        for name in IMPORTED:
            import_module(name)
        gc.freeze()
        gc.enable()


def become(order: Order) -> NoReturn:
    """Run the program to its end, as the interpreter would, but for what it takes apart then."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    os.setsid()
    os.chdir(order.folder)
    os.environ.clear()
    os.environ.update(order.environment)
    take_files(order.files, is_plain="-u" in order.words[:1] or "PYTHONUNBUFFERED" in os.environ)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in order.ignored:
        signal.signal(number, signal.SIG_IGN)
    sys.path[:1] = [order.folder, *filter(None, os.environ.get("PYTHONPATH", "").split(":"))]
    status = 0
    try:
        run(order.words)
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
        if isinstance(end.code, str):
            sys.stderr.write(f"{end.code}\n")
    except BaseException:
        sys.excepthook(*sys.exc_info())
        status = 1
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for file in (sys.stdout, sys.stderr):
        with suppress(Exception):  # it is closed, or nobody reads it
            file.flush()
    os._exit(status & 0xFF)


def take_files(files: list[int], *, is_plain: bool) -> None:
    """is_plain: what is written is written at once."""
    for target, file in enumerate(files):
        os.dup2(file, target)
        os.close(file)
    for target, name in enumerate(("stdin", "stdout", "stderr")):
        before = getattr(sys, name)  # of a locale that is ours, too
        raw = os.fdopen(target, "wb" if target else "rb", closefd=False)
        stream = io.TextIOWrapper(
            raw,
            before.encoding,
            before.errors,
            line_buffering=target == 2 or raw.isatty(),
            write_through=is_plain,
        )
        setattr(sys, name, stream)


def run(words: list[str]) -> None:
    kind, program, *rest = words[words[0] == "-u" :]
    sys.argv = [kind, *rest]
    if kind == "-c":
        exec(program, {"__name__": "__main__"})  # noqa: S102
    else:
        sys.argv[0] = program
        runpy.run_module(program, run_name="__main__", alter_sys=True)


def main(address: str) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it ends with the tests
    server = Server(address)
    sys.stdout.write("listening\n")
    sys.stdout.flush()
    order = server.next_order()
    if order:
        become(order)
    for pid in server.programs.values():
        os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    main(sys.argv[1])
