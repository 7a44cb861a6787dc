"""Where sessions are kept between owners: one file a stream, named by whoever saved it.

A file is a shortcut, never the truth: without it the window is rebuilt from the transcript.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from engine import Engine, Session
from worker.keyspace.checkpoint import Checkpoint
from worker.keyspace.lease import Lease


class Snapshots:
    """The folder may be shared by several workers: names carry stream, epoch, commit and
    owner: after a server has lost its last writes, two owners may have the same epoch."""

    def __init__(self, folder: Path):
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)  # one that cannot be is said at the start

    def save(self, engine: Engine, session: Session, lease: Lease, checkpoint: Checkpoint) -> str:
        """Returns the name for the checkpoint. Raises OSError (disk full)."""
        owner = hashlib.blake2b(lease.owner.encode(), digest_size=4).hexdigest()
        number = f"{lease.epoch}.{checkpoint.num_commits}.{owner}"
        name = f"{_prefix(lease.stream)}{number}.safetensors"
        self._folder.mkdir(parents=True, exist_ok=True)  # somebody may clear it at any time
        engine.save(session, self._folder / name)
        return name

    def load(self, engine: Engine, name: str) -> Session:
        """Raises engine.SnapshotError with the reason, engine.NoFreeRow."""
        return engine.restore(self._folder / Path(name).name)

    def num_bytes(self, name: str) -> int:
        return (self._folder / name).stat().st_size

    def keep_only(self, name: str, lease: Lease, *, last: str) -> None:
        """Removes the stream's files of this owner and earlier ones, but for `name` ("": all).

        Drafts as well: an owner that was killed while it saved has left one.
        last: the one before. If it is this owner's, those of earlier ones are gone already, and
        there is no need to look through a folder with thousands of files.
        """
        prefix = _prefix(lease.stream)
        if name and last.startswith(f"{prefix}{lease.epoch}."):
            (self._folder / last).unlink(missing_ok=True)
            return
        drafts = self._folder.glob(f".{prefix}*.tmp")
        for path in (*self._folder.glob(f"{prefix}*.safetensors"), *drafts):
            epoch = path.name.removeprefix(".").removeprefix(prefix).split(".")[0]
            if path.name != name and epoch.isdigit() and int(epoch) <= lease.epoch:
                path.unlink(missing_ok=True)


def _prefix(stream: str) -> str:
    return hashlib.blake2b(stream.encode(), digest_size=12).hexdigest() + "."
