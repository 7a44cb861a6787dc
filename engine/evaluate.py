"""What a model predicts over a long stream: logits for anybody's checks, perplexity to compare."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from torch import Tensor
from transformers import PreTrainedModel

from engine.config import EngineConfig
from engine.errors import ConfigError
from engine.hook import IMPLEMENTATION
from engine.model import StreamingModel, load, own_attention, source_of
from engine.plot import draw_losses
from engine.policies import POLICIES, kv_bytes, losses
from engine.stream import LoneStream
from engine.text import Tokenizer
from engine.window import Window


def stream_logits(
    model: str | PreTrainedModel,
    token_ids: Sequence[int],
    *,
    num_sinks: int,
    num_recent: int,
    chunk: int,
) -> Tensor:
    """Logits of one long stream, fed `chunk` tokens at a time: (T, vocab) float32.

    `model` is a path, a hub id, "bundled", or a loaded transformers model, which is left as it was.
    """
    if isinstance(model, str):
        return _feed(load(EngineConfig(model)), token_ids, Window(num_sinks, num_recent), chunk)
    with own_attention(model, IMPLEMENTATION):
        return _feed(StreamingModel(model), token_ids, Window(num_sinks, num_recent), chunk)


def _feed(model: StreamingModel, token_ids: Sequence[int], window: Window, chunk: int) -> Tensor:
    stream = LoneStream(model, window)
    pieces = [
        stream.feed(token_ids[start : start + chunk]) for start in range(0, len(token_ids), chunk)
    ]
    return torch.cat(pieces) if pieces else torch.empty(0, model.vocab_size)


@dataclass(frozen=True)
class Reading:
    """One policy's way through the text; `losses` are nats, of every token but the first."""

    policy: str
    losses: Tensor
    seconds: float
    kv_bytes: int

    @property
    def perplexity(self) -> float:
        return math.exp(self.losses.double().mean())

    @property
    def tokens_per_second(self) -> float:
        return len(self.losses) / self.seconds


def run(
    *,
    model: str,
    text: Path,
    policies: Sequence[str] = tuple(POLICIES),
    num_sinks: int = 4,
    num_recent: int = 252,
    max_tokens: int = 4096,
    png: Path | None = None,
    dtype: str = "float32",
    device: str = "cpu",
) -> list[Reading]:
    """Read `text` with each policy, print the comparison, draw it to `png` if one is given.

    ConfigError names an unknown policy or a text that is missing or too short.
    """
    unknown = [policy for policy in policies if policy not in POLICIES]
    if unknown:
        raise ConfigError(f"policies={unknown} is not valid: use {', '.join(POLICIES)}.")
    config = EngineConfig(
        model, num_sinks=num_sinks, num_recent=num_recent, dtype=dtype, device=device
    )
    token_ids = _token_ids(text, Tokenizer.load(source_of(config)), max_tokens)
    streaming = load(config)
    readings = _read_all(streaming, token_ids, policies, Window(num_sinks, num_recent))
    Console().print(_table(readings, num_sinks, num_recent))
    if png is not None:
        curves = {reading.policy: reading.losses for reading in readings}
        draw_losses(curves, num_sinks + num_recent, png)
    return readings


def _token_ids(text: Path, tokenizer: Tokenizer, max_tokens: int) -> list[int]:
    """Begin of sequence, where the model has one, and the text after it."""
    try:
        content = text.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"text={str(text)!r} needs to be a file in UTF-8 ({error}).") from error
    bos = tokenizer.hf.bos_token_id
    token_ids = [*([] if bos is None else [bos]), *tokenizer.encode(content)][:max_tokens]
    if len(token_ids) < 2:
        raise ConfigError(f"text={str(text)!r} needs to be two tokens or more.")
    return token_ids


def _read_all(
    model: StreamingModel, token_ids: Sequence[int], policies: Sequence[str], window: Window
) -> list[Reading]:
    columns = (TextColumn("{task.description:>10}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeRemainingColumn()) as progress:
        return [_read(model, token_ids, policy, window, progress) for policy in policies]


def _read(
    model: StreamingModel,
    token_ids: Sequence[int],
    policy: str,
    window: Window,
    progress: Progress,
) -> Reading:
    task = progress.add_task(policy, total=len(token_ids) - 1)
    started = time.perf_counter()
    pieces = []
    for piece in losses(POLICIES[policy](model, token_ids, window), token_ids):
        pieces.append(piece)
        progress.advance(task, len(piece))
    seconds = time.perf_counter() - started
    held = kv_bytes(policy, model, len(token_ids), window)
    return Reading(policy, torch.cat(pieces), seconds, held)


def _table(readings: Sequence[Reading], num_sinks: int, num_recent: int) -> Table:
    num_tokens = len(readings[0].losses) + 1
    table = Table(title=f"{num_tokens:,} tokens, {num_sinks} sinks + {num_recent} recent")
    for heading in ("policy", "perplexity", "tokens/s", "KV memory, MB"):
        table.add_column(heading, justify="left" if heading == "policy" else "right")
    for reading in readings:
        table.add_row(
            reading.policy,
            f"{reading.perplexity:,.2f}",
            f"{reading.tokens_per_second:,.0f}",
            f"{reading.kv_bytes / 1e6:,.2f}",
        )
    return table
