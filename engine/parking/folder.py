"""A folder of this process' own for parked sessions, in one that several processes may share.

    FOLDER/4711-5f2c/        parked sessions of a process
    FOLDER/4711-5f2c.lock    locked for as long as that process lives

What a dead process left is removed by the next one that comes; what a living one has is never
touched. A lock file gets its name when it is locked already, so whoever can lock it is alone.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import weakref
from contextlib import suppress
from pathlib import Path
from typing import IO


class ParkFolder:
    """`path` is new and empty. It is removed when this object or its process ends in order."""

    def __init__(self, shared: Path) -> None:
        """Raises OSError if `shared` cannot be written to."""
        shared.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(shared)
        self.path = shared / f"{os.getpid()}-{secrets.token_hex(4)}"
        self._open()

    def require(self) -> Path:
        """`path`, made again if somebody has removed it. Raises OSError."""
        if not (self.path.is_dir() and _lock_of(self.path).exists()):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._open()
        return self.path

    def _open(self) -> None:
        lock = _lock(self.path)
        self.path.mkdir(exist_ok=True)
        weakref.finalize(self, _remove, self.path, lock)


def _lock(folder: Path) -> IO[bytes]:
    draft = folder.with_suffix(".new")
    lock = draft.open("wb")
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    draft.rename(_lock_of(folder))
    return lock


def _lock_of(folder: Path) -> Path:
    return folder.with_suffix(".lock")


def _remove_leftovers(shared: Path) -> None:
    for path in shared.glob("*.lock"):
        # OSError: its process lives, or another one has just removed it.
        with suppress(OSError), path.open("r+b") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _remove(path.with_suffix(""), lock)


def _remove(folder: Path, lock: IO[bytes]) -> None:
    """The lock goes last: a folder whose lock is gone would be left for ever."""
    shutil.rmtree(folder, ignore_errors=True)
    with suppress(OSError):  # somebody has put a file in the place of the shared folder
        _lock_of(folder).unlink(missing_ok=True)
    lock.close()
