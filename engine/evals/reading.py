"""One policy's way through a text: how well it predicts, what it holds, and where it ends."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import torch
from torch import Tensor

from engine.evals.policies import Policy
from engine.evals.texts import Chunk

# Buckets grow with the text, so that a curve of a few hundred of them shows every power of ten.
FIRST_BUCKET_TOKENS = 64
BUCKETS_PER_LENGTH = 128
END_OF_TEXT = "end of the text"
INTERRUPTED = "stopped by hand"


@dataclass(frozen=True)
class Limits:
    """How far a policy may go; it ends after the chunk in which it passes the first of them."""

    num_tokens: int
    seconds: float = math.inf
    kv_bytes: float = math.inf

    def passed(self, reading: Reading) -> str | None:
        """Which of them, in words."""
        if reading.num_tokens >= self.num_tokens:
            return f"{self.num_tokens:,} tokens, as asked"
        if reading.seconds > self.seconds:
            return f"its {self.seconds:,.0f} seconds are over"
        if reading.kv_bytes > self.kv_bytes:
            return f"more than {self.kv_bytes / 1e6:,.0f} MB of keys and values"
        return None


@dataclass
class Mean:
    """Of losses in nats."""

    nats: float = 0.0
    count: int = 0

    def add(self, losses: Tensor) -> None:
        self.nats += float(losses.double().sum())
        self.count += len(losses)

    @property
    def loss(self) -> float:
        return self.nats / self.count

    @property
    def perplexity(self) -> float:
        return math.exp(self.loss)


@dataclass(frozen=True)
class Bucket:
    """`count` tokens in a row; `num_tokens` have been read at its end.

    `resident_bytes` is what the process holds in memory then, on a GPU what tensors hold there.
    """

    num_tokens: int
    count: int
    loss: float
    kv_bytes: int
    resident_bytes: int


@dataclass
class Reading:
    """Grows while the text is read. The first token has no loss: nothing came before it."""

    policy: str
    total: Mean = field(default_factory=Mean)
    by_path: dict[Path, Mean] = field(default_factory=dict)
    buckets: list[Bucket] = field(default_factory=list)
    seconds: float = 0.0
    kv_bytes: int = 0
    ended: str = ""
    _open: Mean = field(default_factory=Mean)

    @property
    def num_tokens(self) -> int:
        return self.total.count + 1

    @property
    def tokens_per_second(self) -> float:
        return self.total.count / self.seconds

    def add(self, losses: Tensor, path: Path, resident_bytes: Callable[[], int]) -> list[Bucket]:
        """Count the losses of a chunk; the buckets that it has filled."""
        self.by_path.setdefault(path, Mean()).add(losses)
        filled = []
        for part in self._cut(losses):
            self._open.add(part)
            self.total.add(part)
            if self._open.count >= self._bucket_tokens:
                filled.append(self._close_bucket(resident_bytes()))
        return filled

    def close(self, resident_bytes: int) -> list[Bucket]:
        """The last bucket, full or not."""
        return [self._close_bucket(resident_bytes)] if self._open.count else []

    def _cut(self, losses: Tensor) -> Iterator[Tensor]:
        """Pieces of `losses`, none of them past the end of the bucket that is open then."""
        while len(losses):
            room = self._bucket_tokens - self._open.count
            yield losses[:room]
            losses = losses[room:]

    @property
    def _bucket_tokens(self) -> int:
        begun_at = self.total.count - self._open.count
        return max(FIRST_BUCKET_TOKENS, begun_at // BUCKETS_PER_LENGTH)

    def _close_bucket(self, resident_bytes: int) -> Bucket:
        mean, self._open = self._open, Mean()
        bucket = Bucket(self.num_tokens, mean.count, mean.loss, self.kv_bytes, resident_bytes)
        self.buckets.append(bucket)
        return bucket


def read(
    reading: Reading,
    policy: Policy,
    chunks: Iterable[Chunk],
    limits: Limits,
    *,
    resident_bytes: Callable[[], int],
    is_stopped: Callable[[], bool],
    clock: Callable[[], float] = time.perf_counter,
) -> Iterator[list[Bucket]]:
    """Feed `chunks` until they end, a limit is passed or `is_stopped`; yields what is filled.

    `reading` counts all chunks at any time, and in the end says why it ended.
    """
    ended: str | None = None
    for chunk in chunks:
        started = clock()
        losses = losses_of(policy.feed(chunk.inputs), chunk.targets)
        reading.seconds += clock() - started
        reading.kv_bytes = policy.kv_bytes
        yield reading.add(losses, chunk.path, resident_bytes)
        ended = INTERRUPTED if is_stopped() else limits.passed(reading)
        if ended:
            break
    reading.ended = ended or END_OF_TEXT
    yield reading.close(resident_bytes())


def losses_of(logits: Tensor, targets: list[int]) -> Tensor:
    """Negative log-likelihood (nats) of each target: (C,) float32 on the CPU."""
    following = torch.tensor(targets, dtype=torch.long, device=logits.device)
    return torch.nn.functional.cross_entropy(logits.float(), following, reduction="none").cpu()


def bytes_in_memory(device: torch.device) -> int:
    """Of this process, in RAM; on a GPU, of the tensors there."""
    if device.type == "cuda":
        return torch.cuda.memory_allocated(device)
    return int(psutil.Process().memory_info().rss)
