"""Whatever the chunks, the windows and the company: the logits are those of the definition."""

from __future__ import annotations

from unittest.mock import patch

import pytest
import torch
from hypothesis import given, note, settings
from torch import nn

from engine.attention import chunk_attention
from engine.attention.chunk import Chunk
from engine.attention.chunk_attention import FUSED_DTYPES, QUERIES, QUERIES_AT_ONCE, fuses_attention
from engine.attention.hook import attending, attention
from engine.attention.step import StepAttention
from engine.memory.formats import format_of
from engine.memory.kv_store import KVStore, LayerShape
from engine.memory.rotary import Rotary
from engine.schedule.session import Session
from engine.schedule.window import Window
from tests.engine.families import tiny, tiny_to_read
from tests.engine.mixtures import mixtures
from tests.engine.reference import reference_logits
from tests.engine.streams import Stream, mixture_logits, streaming, tokens

TOLERANCE = 1e-4
# Distances that a layer adds to its scores, a window of its own, a sink that it has learned.
FAMILIES = ["llama", "bloom-six-heads", "mistral-own-window-hides-a-sink", "gpt-oss"]
# PyTorch's fused attention, or matrix products and a softmax, as for half precision.
DTYPES_THAT_ARE_FUSED = {"fused": FUSED_DTYPES, "products": ()}


def test_the_fused_attention_of_this_pytorch_is_used() -> None:
    assert fuses_attention()


@pytest.mark.parametrize("family", FAMILIES)
@settings(max_examples=30)
@given(mixtures())
@pytest.mark.filterwarnings("ignore")  # of the models' own code
def test_any_mixture_of_sessions_in_any_chunks_equals_the_reference(
    family: str, mixture: tuple[list[Stream], int, int, int]
) -> None:
    streams, num_slots, *limits = mixture
    expected = [
        reference_logits(
            tiny_to_read(family), s.token_ids, s.num_sinks, num_slots - s.num_sinks, s.num_discard
        )
        for s in streams
    ]
    for way, dtypes in DTYPES_THAT_ARE_FUSED.items():
        note(way)
        with patch.object(chunk_attention, "FUSED_DTYPES", dtypes):
            results = mixture_logits(streaming(family), streams, num_slots, *limits)
        for logits, right in zip(results, expected, strict=True):
            torch.testing.assert_close(logits, right, atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize(
    ("attention", "num_queries"), [("fused", QUERIES_AT_ONCE), ("products", QUERIES)]
)
@pytest.mark.parametrize("num_recent", [20, 200])
def test_chunks_of_several_blocks_and_a_rest_equal_the_reference(
    attention: str, num_queries: int, num_recent: int
) -> None:
    token_ids = tokens(3 * num_queries + 1)
    expected = reference_logits(tiny("llama"), token_ids, 3, num_recent)
    stream, num_slots = Stream(3, token_ids), 3 + num_recent
    for chunk in (num_queries - 1, num_queries, num_queries + 1, len(token_ids)):
        with patch.object(chunk_attention, "FUSED_DTYPES", DTYPES_THAT_ARE_FUSED[attention]):
            (logits,) = mixture_logits(streaming(), [stream], num_slots, chunk, chunk)
        torch.testing.assert_close(logits, expected, atol=TOLERANCE, rtol=0)


def test_window_longer_than_the_stream_is_plain_causal_attention() -> None:
    token_ids = tokens(50)
    with torch.inference_mode():
        dense = tiny("llama")(torch.tensor([token_ids])).logits[0]
    (logits,) = mixture_logits(streaming(), [Stream(4, token_ids)], 64, 16, 16)
    torch.testing.assert_close(logits, dense, atol=TOLERANCE, rtol=0)


def test_session_running_past_many_base_moves_equals_the_reference() -> None:
    token_ids = tokens(600)
    expected = reference_logits(tiny("llama"), token_ids, 3, 17)
    for limit in (40, 75):
        stream = Stream(3, token_ids, position_limit=limit)
        (logits,) = mixture_logits(streaming(), [stream], 20, 7, 7)
        torch.testing.assert_close(logits, expected, atol=TOLERANCE, rtol=0)


def test_half_precision_adds_no_noise_of_its_own() -> None:
    """Against float32, the engine in bfloat16 is as near as the reference in bfloat16."""
    token_ids = tokens(120)
    weights = tiny("llama", torch.bfloat16)
    expected = reference_logits(tiny("llama", torch.bfloat16).float(), token_ids, 3, 20)
    own_noise = (reference_logits(weights, token_ids, 3, 20) - expected).norm()
    model = streaming("llama", torch.bfloat16)
    for limit in (0, 10_000):
        stream = Stream(3, token_ids, position_limit=limit)
        (logits,) = mixture_logits(model, [stream], 23, 17, 17)
        assert (logits - expected).norm() < 1.5 * own_noise


def test_heads_lie_side_by_side_however_a_model_brings_them() -> None:
    """Fused attention reads memory as it lies: it would take other tokens' numbers for a head's."""
    layer = nn.Module()
    layer.layer_idx = 0
    brought = [torch.randn(1, heads, 6, 5).mT for heads in (4, 2, 2)]
    session = Session(0, Window(0, 8))
    chunk = Chunk(session, 0, 0, 5, torch.device("cpu"))
    answers = []
    for tensors in (brought, [tensor.contiguous() for tensor in brought]):
        store = KVStore([LayerShape(2, 6, 6)], 1, 8, format_of("float32"), torch.device("cpu"))
        rotary = Rotary(torch.zeros(0))
        with attending(StepAttention(store, [chunk], [rotary])):
            answers.append(attention(layer, *tensors)[0])
    torch.testing.assert_close(*answers, atol=0, rtol=0)
