"""Stands in for a Python program that the fork server runs: same words, same files, same end.

Signals are passed on; if this process is killed, so is the program, a moment later. KILL kills the
program first: whoever waits for this process then knows that it has gone.
"""

from __future__ import annotations

import os
import signal
import socket
import sys

ADDRESS = "FORK_SERVER"
KILL = signal.SIGALRM
PASSED_ON = (
    *(signal.SIGINT, signal.SIGTERM, signal.SIGHUP),
    *(signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2),
)


def main() -> None:
    ignored = [int(number) for number in PASSED_ON if signal.getsignal(number) is signal.SIG_IGN]
    if signal.SIGINT not in ignored:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(os.environ[ADDRESS])
        folder = os.getcwd()  # noqa: PTH109 (pathlib takes longer than all of this)
        order = repr((sys.argv[1:], folder, dict(os.environ), ignored)).encode()
        socket.send_fds(server, [b"%d\n" % len(order)], [0, 1, 2])
        server.sendall(order)
        for number in set(PASSED_ON) - set(ignored):
            signal.signal(number, lambda number, _: server.sendall(b"%d\n" % number))
        signal.signal(KILL, lambda *_: server.sendall(b"%d\n" % signal.SIGKILL))
        end(int(read_line(server)))


def read_line(server: socket.socket) -> bytes:
    said = b""
    try:
        while not said.endswith(b"\n"):
            said += server.recv(32) or b"-9\n"
    except ConnectionError:
        return b"-9"  # it has gone, and the program with it
    return said


def end(status: int) -> None:
    """As a process ends whose exit code subprocess calls `status`."""
    if status < 0:
        if -status not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    os._exit(status)


if __name__ == "__main__":
    main()
