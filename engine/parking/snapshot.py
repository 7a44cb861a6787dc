"""A session on disk: safetensors with everything that continuing it needs, and a checksum.

The file is written beside its place and renamed, so that a reader sees all of it or nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from engine.errors import EngineError, SnapshotError
from engine.model.model import StreamingModel
from engine.schedule.session import Session
from engine.schedule.window import Window

FORMAT = "weir-session-1"


@dataclass(frozen=True)
class SavedSession:
    """A session's counters and the tensors of its filled slots."""

    window: Window
    start: int
    base: int
    length: int
    tensors: dict[str, Tensor]

    def session(self, position_limit: int) -> Session:
        session = Session(None, self.window, start=self.start, position_limit=position_limit)
        session.base, session.length = self.base, self.length
        return session


def require_complete(session: Session) -> None:
    """EngineError if tokens are pending: compute them first, or save a fork. What a generating
    session samples belongs to a copy that is thrown away."""
    if session.is_closed or session.num_pending or session.is_generating:
        raise EngineError("Only an open session with nothing pending can be saved.")
    session.require_open()


def save(
    session: Session,
    tensors: dict[str, Tensor],
    model: StreamingModel,
    path: Path,
    *,
    is_durable: bool = True,
) -> None:
    """`tensors`: its filled slots. Durable: it survives a power cut. Raises OSError."""
    facts = {
        "format": FORMAT,
        "model": model.fingerprint,
        "window": asdict(session.window),
        "start": session.start,
        "base": session.base,
        "length": session.length,
    }
    metadata = {"facts": json.dumps(facts)}
    metadata["sha256"] = _digest(metadata["facts"], tensors)
    _write_atomically(path, save_tensors(tensors, metadata=metadata), is_durable=is_durable)


def load(path: Path, model: StreamingModel, own: Window) -> SavedSession:
    """Read and check a snapshot; SnapshotError says what does not fit."""
    facts, tensors = _read(path)
    if facts["format"] != FORMAT:
        raise SnapshotError(f"{path} has the format {facts['format']}, not {FORMAT}.")
    if facts["model"] != model.fingerprint:
        raise SnapshotError(f"{path} was made by another model, or in another number format.")
    window = Window(**facts["window"])
    if window.size != own.size:
        raise SnapshotError(f"{path} has a window of {window.size} tokens, not {own.size}.")
    if window != own.with_sinks(window.num_sinks):
        raise SnapshotError(
            f"{path} discards {window.num_discard} tokens at a time, not {own.num_discard}."
        )
    return SavedSession(window, facts["start"], facts["base"], facts["length"], tensors)


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    try:
        body = path.read_bytes()
        tensors = load_tensors(body)
        # A safetensors file: 8 bytes of length, then a JSON header, then the numbers.
        metadata = json.loads(body[8 : 8 + int.from_bytes(body[:8], "little")])["__metadata__"]
        facts, digest = metadata["facts"], metadata["sha256"]
    except OSError as error:
        raise SnapshotError(f"{path} cannot be read: {error.strerror}.") from error
    except (SafetensorError, ValueError, KeyError) as error:
        raise SnapshotError(f"{path} is torn, or not a saved session.") from error
    if digest != _digest(facts, tensors):
        raise SnapshotError(f"{path} is damaged: its checksum does not match.")
    return json.loads(facts), tensors


def _digest(facts: str, tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256(facts.encode())
    for name in sorted(tensors):
        digest.update(tensors[name].view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _write_atomically(path: Path, content: bytes, *, is_durable: bool) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with draft.open("wb") as file:
            file.write(content)
            if is_durable:
                file.flush()
                os.fsync(file.fileno())
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)  # a full disk has no room for half a session
        raise
    if is_durable:
        _sync_names(path.parent)


def _sync_names(folder: Path) -> None:
    directory = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
