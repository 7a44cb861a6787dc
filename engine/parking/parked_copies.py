"""Keys and values of sessions that have no row: in host memory, and beyond its budget in files.

Only filled slots are kept. What is in host memory is never written to, so copies may share it.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from torch import Tensor

from engine.errors import ConfigError, SessionLost, SnapshotError
from engine.model.model import StreamingModel
from engine.parking import snapshot
from engine.parking.folder import ParkFolder
from engine.schedule.session import Session
from engine.stats import Tally

Tensors = dict[str, Tensor]


@dataclass(frozen=True)
class ParkedFile:
    """As it was written; what becomes of it on disk is seen when it is read."""

    path: Path
    num_bytes: int


class ParkedCopies:
    """A session is in `_host`, those parked longest ago first, or in `_files`, never in both."""

    def __init__(
        self, model: StreamingModel, tally: Tally, folder: Path | None, max_host_bytes: int
    ) -> None:
        """folder: None if host memory has room for all. ConfigError if it cannot be used."""
        self._model = model
        self._tally = tally
        self._folder = None if folder is None else _own_folder(folder)
        self._max_host_bytes = max_host_bytes
        self._names = count()
        self._host: dict[Session, Tensors] = {}
        self._files: dict[Session, ParkedFile] = {}
        self.host_bytes = 0
        self.disk_bytes = 0

    @property
    def num_in_host(self) -> int:
        return len(self._host)

    @property
    def num_on_disk(self) -> int:
        return len(self._files)

    def put(self, session: Session, tensors: Tensors) -> None:
        """Keep `tensors`; those parked longest ago go to disk, if that is needed."""
        self._host[session] = tensors
        self.host_bytes += _num_bytes(tensors)
        while self._folder and self.host_bytes > self._max_host_bytes:
            oldest = next(iter(self._host))
            self._store(oldest, self._folder)

    def get(self, session: Session) -> Tensors:
        """Its filled slots, (KV, slots, ...) each, not to be changed. SessionLost."""
        if session in self._host:
            return self._host[session]
        try:
            with self._tally.counting("fetch"):
                return self._read(session, self._files[session].path)
        except SnapshotError as error:
            self.drop(session)
            self._tally.lose(session, "not_fetched", str(error))
            raise SessionLost(str(error)) from error

    def take(self, session: Session) -> Tensors:
        """`get`, and forget it."""
        tensors = self.get(session)
        self.drop(session)
        return tensors

    def drop(self, session: Session) -> None:
        """Forget the session, if it is here."""
        if session in self._host:
            self.host_bytes -= _num_bytes(self._host.pop(session))
        elif session in self._files:
            file = self._files.pop(session)
            self.disk_bytes -= file.num_bytes
            with suppress(OSError):  # it goes with its folder
                file.path.unlink()

    def _store(self, session: Session, folder: ParkFolder) -> None:
        try:
            path = folder.require() / f"{next(self._names)}.safetensors"
            with self._tally.counting("store"):
                snapshot.save(session, self._host[session], self._model, path, is_durable=False)
            file = ParkedFile(path, path.stat().st_size)
        except OSError as error:
            self.drop(session)
            self._tally.lose(session, "not_stored", f"{folder.path}: {error.strerror or error}")
            return
        self.drop(session)
        self._files[session] = file
        self.disk_bytes += file.num_bytes

    def _read(self, session: Session, path: Path) -> Tensors:
        saved = snapshot.load(path, self._model, session.window)
        if (saved.base, saved.length) != (session.base, session.length):
            raise SnapshotError(f"{path} is not of this session.")
        return saved.tensors

    def check_integrity(self, parked: list[Session]) -> None:
        """AssertionError unless exactly `parked` are here, each once, and the bytes add up."""
        here = [*self._host, *self._files]
        if len(here) != len(parked) or set(here) != set(parked):
            raise AssertionError(f"{len(here)} parked copies of {len(parked)} parked sessions")
        if self.host_bytes != sum(map(_num_bytes, self._host.values())):
            raise AssertionError("bytes in host memory do not add up")
        for session, tensors in self._host.items():
            if {tensor.shape[1] for tensor in tensors.values()} != {session.num_slots}:
                raise AssertionError("a parked copy does not hold its session's filled slots")


def _own_folder(shared: Path) -> ParkFolder:
    try:
        return ParkFolder(shared)
    except OSError as error:
        raise ConfigError(
            f"park_dir={str(shared)!r}: {error.strerror}; name a folder that can be written to."
        ) from error


def _num_bytes(tensors: Tensors) -> int:
    return sum(tensor.nbytes for tensor in tensors.values())
