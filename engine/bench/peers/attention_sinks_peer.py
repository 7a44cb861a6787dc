"""The attention_sinks package as a peer. Runs in its own environment, on old transformers."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from attention_sinks import AutoModelForCausalLM
from torch import Tensor

from engine.bench.peers.serve import serve


class AttentionSinks:
    """The exported model in `folder`; a token sees `num_sinks` + `num_recent`."""

    def __init__(
        self, folder: str, precision: str, num_sinks: int, num_recent: int, num_threads: int
    ) -> None:
        torch.set_num_threads(num_threads)
        self._model: Any = AutoModelForCausalLM.from_pretrained(
            folder,
            torch_dtype=getattr(torch, precision),
            attention_sink_size=num_sinks,
            # Its cache is cut after a token has been seen beside it: one more than the size says.
            attention_sink_window_size=num_recent - 1,
        ).eval()
        # Tensors are never changed in place, so a past can be gone back to as often as one likes.
        self._fed: Any = None
        self._pasts: dict[int, Any] = {}

    def about(self) -> str:
        names = ("attention-sinks", "transformers", "torch")
        return ", ".join(f"{name} {version(name)}" for name in names)

    @torch.inference_mode()
    def logits(self, token_ids: Sequence[int], file: str) -> None:
        """Write (T, vocab) float32 of a stream that is fed token by token."""
        past, rows = None, []
        for token_id in token_ids:
            answer = self._model(torch.tensor([[token_id]]), past_key_values=past, use_cache=True)
            past = answer.past_key_values
            rows.append(answer.logits[0, -1].float())
        Path(file).write_bytes(torch.stack(rows).numpy().tobytes())

    def prepare_feeding(self, token_ids: Sequence[int]) -> None:
        self._fed = None
        self.feed(token_ids, len(token_ids))

    @torch.inference_mode()
    def feed(self, token_ids: Sequence[int], chunk: int) -> int:
        """On top of what has been fed, `chunk` at a time, without logits."""
        for ids in torch.split(torch.tensor([token_ids]), chunk, dim=1):
            self._fed = self._past_of(ids, self._fed)
        return len(token_ids)

    @torch.inference_mode()
    def prepare_decoding(self, num_streams: int, token_ids: Sequence[int]) -> None:
        """Streams that have all been fed `token_ids`."""
        past = self._past_of(torch.tensor([token_ids]), None)
        self._pasts[num_streams] = [
            [tensor.repeat(num_streams, 1, 1, 1) for tensor in layer] for layer in past
        ]

    @torch.inference_mode()
    def decode(self, num_streams: int, first_ids: Sequence[int], num_tokens: int) -> int:
        """`num_tokens` for each stream, the likeliest each, starting over from what was fed."""
        past, token_ids = self._pasts[num_streams], torch.tensor(first_ids).unsqueeze(1)
        for _ in range(num_tokens):
            answer = self._model(token_ids, past_key_values=past, use_cache=True)
            past = answer.past_key_values
            token_ids = answer.logits[:, -1:].argmax(dim=-1)
        return num_tokens * num_streams

    def stream_bytes(self) -> int:
        """Of the keys and values of one stream with a full window."""
        return sum(tensor.nbytes for layer in self._fed for tensor in layer)

    def _past_of(self, token_ids: Tensor, past: Any) -> Any:
        inner = self._model.model
        return inner(token_ids, past_key_values=past, use_cache=True).past_key_values


if __name__ == "__main__":
    serve(AttentionSinks)
