"""What a model predicts over a long stream: logits for anybody's checks."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import PreTrainedModel

from engine.attention.hook import IMPLEMENTATION
from engine.config import EngineConfig
from engine.model.load import load
from engine.model.lone_stream import LoneStream
from engine.model.model import StreamingModel, own_attention
from engine.schedule.window import Window


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
