"""llama.cpp, in one precision, as a peer. Runs in the peer's own environment."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import llama_cpp

from engine.bench.peers.gguf_file import TYPES, convert
from engine.bench.peers.llama_cpp_context import Context
from engine.bench.peers.serve import serve


@dataclass(frozen=True)
class Format:
    """Types of weights and cache. llama.cpp cannot shift a bf16 cache; beside q8_0 weights the
    cache is what llama.cpp has by default. `is_fused` where that was measured to be faster."""

    weights: str
    cache: str
    is_fused: bool


FORMATS = {
    "float32": Format("f32", "f32", is_fused=False),
    "float16": Format("f16", "f16", is_fused=True),
    "bfloat16": Format("bf16", "f16", is_fused=True),
    "q8_0": Format("q8_0", "f16", is_fused=True),
}


class LlamaCpp:
    """The exported model in `folder`, converted to `precision`."""

    def __init__(
        self, folder: str, precision: str, num_kept: int, size: int, num_threads: int
    ) -> None:
        self._format = FORMATS[precision]
        self._num_kept = num_kept
        self._size = size
        self._num_threads = num_threads
        self._model = self._load(Path(folder))
        self._feeding: dict[int, Context] = {}
        self._decoding: dict[int, Context] = {}

    def _load(self, folder: Path) -> Any:
        llama_cpp.llama_backend_init()
        file = folder / f"{self._format.weights}.gguf"
        convert(folder, file, self._format.weights)
        settings = llama_cpp.llama_model_default_params()
        model = llama_cpp.llama_model_load_from_file(bytes(file), settings)
        if not model:
            raise RuntimeError(f"llama.cpp does not load {file.name}")
        return model

    def _context(self, *, num_streams: int = 1, size: int | None = None) -> Context:
        return Context(
            self._model,
            int(TYPES[self._format.cache]),
            is_fused=self._format.is_fused,
            num_streams=num_streams,
            size=size or self._size,
            num_kept=self._num_kept,
            threads=self._num_threads,
        )

    def about(self) -> str:
        """Its version, and what of this processor it was built for."""
        build = llama_cpp.llama_print_system_info().decode()
        features = [part.removesuffix(" = 1") for part in build.split(" | ") if " = 1" in part]
        return f"llama-cpp-python {version('llama-cpp-python')}, {', '.join(features)}"

    def logits(self, token_ids: Sequence[int], file: str) -> None:
        """Write (T, vocab) float32 of a stream, shifted as often as it must be."""
        context = self._context()
        Path(file).write_bytes(context.read(token_ids).tobytes())
        context.close()

    def prepare_feeding(self, size: int, token_ids: Sequence[int]) -> None:
        """A stream of a context of `size` tokens that has been fed `token_ids`."""
        self._feeding[size] = self._context(size=size)
        self._feeding[size].feed(token_ids)

    def feed(self, size: int, token_ids: Sequence[int]) -> int:
        self._feeding[size].feed(token_ids)
        return len(token_ids)

    def prepare_decoding(self, num_streams: int, token_ids: Sequence[int]) -> None:
        """Streams that have all been fed `token_ids`."""
        context = self._context(num_streams=num_streams)
        context.feed(token_ids)
        context.spread()
        self._decoding[num_streams] = context

    def decode(self, num_streams: int, first_ids: Sequence[int], num_tokens: int) -> int:
        return self._decoding[num_streams].decode(first_ids, num_tokens)

    def keep(self, token_ids: Sequence[int], num_rounds: int) -> dict[str, float]:
        """Medians of saving to disk, synced, and restoring a stream that was fed `token_ids`."""
        context = self._context()
        context.feed(token_ids)
        saves, restores = [], []
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "stream.bin"
            for _ in range(1 + num_rounds):
                saves.append(_seconds(lambda: _save_synced(context, file)))
                restores.append(_seconds(lambda: context.restore(file)))
            file_bytes = file.stat().st_size
        figures = {
            "save_seconds": statistics.median(saves[1:]),
            "restore_seconds": statistics.median(restores[1:]),
            "file_bytes": file_bytes,
            "stream_bytes": context.stream_bytes,
        }
        context.close()
        return figures


def _save_synced(context: Context, file: Path) -> None:
    """On the disk when it returns, as ours is; llama.cpp itself leaves that to the system."""
    context.save(file)
    with file.open("rb") as saved:
        os.fsync(saved.fileno())


def _seconds(act: Callable[[], None]) -> float:
    started = time.perf_counter()
    act()
    return time.perf_counter() - started


if __name__ == "__main__":
    serve(LlamaCpp)
