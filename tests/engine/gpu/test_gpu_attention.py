"""The kernels for GPUs, run by Triton's interpreter: they attend as the engine does on a CPU."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.attention.hook import LayerCall
from engine.attention.plan import lay_out
from engine.attention.step import StepAttention
from engine.gpu.attention import GpuAttention
from engine.gpu.layout import lay_out_for_kernels
from engine.memory.formats import format_of
from engine.memory.kv_store import KVStore, LayerShape
from engine.memory.rotary import Rotary
from engine.schedule.scheduler import Segment, in_batching_order
from engine.schedule.session import Session
from engine.schedule.window import Window

CPU = torch.device("cpu")
KV_DTYPES = ("float32", "bfloat16", "int8")


@dataclass(frozen=True)
class Layer:
    """What a model may bring: `window`, `softcap`, learned sinks and slopes are None in most."""

    num_kv_heads: int
    num_groups: int
    key_dim: int
    value_dim: int
    rotary: Rotary
    window: int | None
    softcap: float | None
    has_sink_logits: bool
    has_slopes: bool

    def call(self) -> LayerCall:
        num_heads = self.num_kv_heads * self.num_groups
        return LayerCall(
            0,
            0.3,
            self.window,
            self.softcap,
            torch.linspace(-1, 2, num_heads) if self.has_sink_logits else None,
            # As adapters cut them out of larger tensors.
            torch.rand(num_heads, 2)[:, 0] if self.has_slopes else None,
        )


@st.composite
def layers(draw: st.DrawFn) -> Layer:
    key_dim = draw(st.sampled_from([4, 8, 24]))
    width = draw(st.sampled_from([0, 4, key_dim]))
    layout = draw(st.sampled_from(["halves", "interleaved"]))
    return Layer(
        draw(st.integers(1, 2)),
        draw(st.sampled_from([1, 3, 4])),
        key_dim,
        draw(st.sampled_from([key_dim, 12])),
        Rotary(torch.linspace(1, 0.01, width // 2), layout),
        draw(st.none() | st.integers(1, 20)),
        draw(st.none() | st.just(2.0)),
        draw(st.booleans()),
        draw(st.booleans()),
    )


@st.composite
def segments_of(draw: st.DrawFn, row: int, num_slots: int, most: int) -> Segment:
    num_sinks = draw(st.integers(0, min(6, num_slots - 1)))
    num_discard = draw(st.just(1) | st.integers(1, num_slots - num_sinks))
    session = Session(row, Window(num_sinks, num_slots - num_sinks, num_discard))
    session.advance(draw(st.integers(0, 3 * num_slots) | st.integers(2**40, 2**40 + 100)))
    session.rebase()
    token_ids = tuple(range(draw(st.integers(1, most))))
    return Segment(session, session.length, token_ids, wants_logits=False)


@dataclass(frozen=True)
class Step:
    segments: list[Segment]
    num_slots: int
    queries_per_block: int


@st.composite
def steps(draw: st.DrawFn) -> Step:
    """Single tokens alone, or in company, whose keys are one block of a kernel's or several, which
    several programs share or one takes in turn. The interpreter takes a tenth of a second for each
    block of queries: of long segments blocks are large, as they are on a GPU."""
    num_slots = draw(st.integers(1, 20) | st.integers(120, 200))
    most, queries_per_block = draw(
        st.sampled_from([1, 10]).flatmap(lambda most: st.tuples(st.just(most), st.integers(1, 5)))
        | st.tuples(st.sampled_from([30, 90]), st.sampled_from([13, 32]))
    )
    rows = draw(st.permutations(range(4)))[: draw(st.integers(1, 4))]
    segments = [draw(segments_of(row, num_slots, most)) for row in rows]
    return Step(in_batching_order(segments), num_slots, queries_per_block)


@settings(max_examples=25)
@given(layers(), steps(), st.sampled_from(KV_DTYPES), st.sampled_from([1, 30]))
def test_kernels_attend_and_keep_as_the_engine_does_elsewhere(
    layer: Layer, step: Step, kv_dtype: str, num_processors: int
) -> None:
    assert_alike(layer, step, kv_dtype, num_processors)


@pytest.mark.parametrize(("num_slots", "num_processors"), [(130, 30), (200, 30), (131, 1)])
def test_each_recent_token_is_in_one_share_of_a_long_window(
    num_slots: int, num_processors: int
) -> None:
    """Of three, four, and two, the last not full. What is drawn above comes here too seldom."""
    session = Session(0, Window(1, num_slots - 1))
    session.advance(2 * num_slots)
    segment = Segment(session, session.length, (7,), wants_logits=False)
    layer = Layer(1, 1, 4, 4, Rotary(torch.ones(2)), None, None, False, False)
    assert_alike(layer, Step([segment], num_slots, 1), "float32", num_processors)


def assert_alike(layer: Layer, step: Step, kv_dtype: str, num_processors: int) -> None:
    segments, num_slots = step.segments, step.num_slots
    torch.manual_seed(0)
    num_tokens = sum(segment.num_tokens for segment in segments)
    num_kv_heads, num_heads = layer.num_kv_heads, layer.num_kv_heads * layer.num_groups
    brought = (
        torch.randn(num_tokens, num_heads, layer.key_dim).transpose(0, 1),
        torch.randn(num_kv_heads, num_tokens, layer.key_dim),
        torch.randn(num_tokens, num_kv_heads, layer.value_dim).transpose(0, 1),
    )
    call = layer.call()
    shape = LayerShape(num_kv_heads, layer.key_dim, layer.value_dim)
    stores = [KVStore([shape], 5, num_slots, format_of(kv_dtype), CPU) for _ in range(2)]
    everything = [list(store.tensors.values()) for store in stores]
    for held, copy in zip(*everything, strict=True):
        held.copy_(torch.randn(held.shape) * (100 if held.dtype == torch.int8 else 1))
        copy.copy_(held)
    for store in stores:  # before the rows lies memory of others
        store.keys[0], store.values[0] = store.keys[0][1:], store.values[0][1:]

    usual = StepAttention(stores[0], lay_out(segments, CPU).parts, [layer.rotary])
    layout = lay_out_for_kernels(segments, step.queries_per_block)
    kernels = GpuAttention(stores[1], layout, [layer.rotary], num_processors)

    torch.testing.assert_close(kernels(call, *brought), usual(call, *brought), atol=5e-5, rtol=0)
    for expected, found in zip(*everything, strict=True):
        torch.testing.assert_close(found, expected, atol=0, rtol=0)
