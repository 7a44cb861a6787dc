"""Rows in half precision and int8: rounded once, before anybody sees them, and in no other way.

Two chunkings differ by 1e-7 in float32 before a key is rounded. Where that is enough to send one of
its numbers to another code, they differ by a code afterwards, and so do rows of later layers. To
the last digit this can therefore be tested in float64 alone; in float32, against how far rounding
itself moves the logits.
"""

from __future__ import annotations

from functools import cache

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from transformers import PreTrainedModel

from engine.config import KV_DTYPES as KV_DTYPES_OF_SETTINGS
from engine.memory.formats import format_of
from engine.memory.kv_store import KVStore, LayerShape
from engine.memory.rotary import Rotary
from engine.model.model import StreamingModel
from engine.schedule.window import Window
from tests.engine.families import tiny, tiny_to_read
from tests.engine.mixtures import mixtures
from tests.engine.reference import reference_logits, rounded
from tests.engine.streams import KV_DTYPES, Stream, mixture_logits, streaming, streaming_of, tokens

ROUGH = ["bfloat16", "float16", "int8"]
FAR = 10_000  # as a position limit: keys are turned back, and rounded again, at the earliest there
FAMILIES = [
    "llama",
    "llama-one-kv-head",
    "mistral-own-window-hides-a-sink",
    "qwen3",
    "gemma2",
    "gpt-neox",
    "cohere",
    "gpt-oss",
    "smollm3",
    "falcon",
    "gptj",
    "mpt",
    "bloom-six-heads",
]


def in_float64() -> PreTrainedModel:
    """A Llama that rotates in float64 too: transformers' own does so in float32, whatever it is."""
    model = tiny("llama", torch.float64)
    rotary = model.model.rotary_emb

    def rotate(_: Tensor, position_ids: Tensor) -> tuple[Tensor, Tensor]:
        angles = (position_ids.double().unsqueeze(-1) * rotary.inv_freq).repeat(1, 1, 2)
        return angles.cos(), angles.sin()

    rotary.forward = rotate
    return model


@cache
def in_float64_to_read() -> PreTrainedModel:
    return in_float64()


@cache
def streaming_in_float64(kv_dtype: str) -> StreamingModel:
    return streaming_of(in_float64(), kv_dtype)


@settings(max_examples=60)
@given(mixtures(), st.sampled_from(ROUGH))
def test_any_mixture_in_any_chunks_equals_a_reference_that_rounds_once(
    mixture: tuple[list[Stream], int, int, int], kv_dtype: str
) -> None:
    streams, num_slots, *limits = mixture
    for stream in streams:
        stream.position_limit = FAR
    results = mixture_logits(streaming_in_float64(kv_dtype), streams, num_slots, *limits)
    for stream, logits in zip(streams, results, strict=True):
        window = stream.num_sinks, num_slots - stream.num_sinks, stream.num_discard
        expected = reference_logits(
            in_float64_to_read(), stream.token_ids, *window, kv_dtype=kv_dtype
        )
        torch.testing.assert_close(logits, expected, atol=1e-4, rtol=0)


@cache
def exact_logits(family: str, token_ids: tuple[int, ...], *window: int) -> Tensor:
    """The same for every format."""
    return reference_logits(tiny_to_read(family), list(token_ids), *window)


@pytest.mark.parametrize("kv_dtype", ROUGH)
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.filterwarnings("ignore")  # of the models' own code
def test_family_in_chunks_and_in_company_is_rounded_as_the_reference_is(
    family: str, kv_dtype: str
) -> None:
    streams = [
        Stream(3, tokens(70, seed=1), 0, FAR),
        Stream(0, tokens(45, seed=2), 0, FAR),
        Stream(2, tokens(45, seed=3), 0, FAR, num_discard=7),
    ]
    results = mixture_logits(streaming(family, kv_dtype=kv_dtype), streams, 20, 9, 14)
    for stream, logits in zip(streams, results, strict=True):
        window = stream.num_sinks, 20 - stream.num_sinks, stream.num_discard
        expected = reference_logits(
            tiny_to_read(family), stream.token_ids, *window, kv_dtype=kv_dtype
        )
        moved = (expected - exact_logits(family, tuple(stream.token_ids), *window)).norm()
        assert (logits - expected).norm() < 0.2 * moved


@pytest.mark.parametrize("kv_dtype", ROUGH)
def test_keys_turned_back_on_the_way_add_no_noise_of_their_own(kv_dtype: str) -> None:
    """A key is rounded once more when the base moves: no worse than rounding once."""
    token_ids = tokens(600)
    exact = reference_logits(tiny("llama"), token_ids, 3, 17)
    rough = reference_logits(tiny("llama"), token_ids, 3, 17, kv_dtype=kv_dtype)
    stream = Stream(3, token_ids, position_limit=75)
    (logits,) = mixture_logits(streaming(kv_dtype=kv_dtype), [stream], 20, 7, 7)
    assert (logits - exact).norm() < 1.5 * (rough - exact).norm()


def test_rough_keys_are_turned_back_seldom() -> None:
    """Of 16 windows' keys the last one's are rounded again; exact ones can be turned more often."""
    limits = {name: streaming(kv_dtype=name).position_limit(Window(4, 12)) for name in KV_DTYPES}
    assert limits == {None: 32, "bfloat16": 256, "float16": 256, "int8": 256}


def test_turning_back_reads_turns_and_rounds_once() -> None:
    rotary = Rotary(torch.tensor([1.0, 0.1, 0.01]))
    store = KVStore([LayerShape(2, 8, 8)], 2, 5, format_of("int8"), torch.device("cpu"))
    keys = store.format.encode(torch.randn(2, 5, 8, generator=torch.manual_seed(0)))
    store.keys[0][1] = keys
    store.turn_keys_back(1, slice(2, 5), 7, [rotary])
    cos, sin = rotary.angles(torch.tensor([-7]))
    turned = rounded(rotary.turn(keys.decoded()[:, 2:], cos, sin), "int8")
    torch.testing.assert_close(store.keys[0][1, :, 2:].decoded(), turned)
    torch.testing.assert_close(store.keys[0][1, :, :2].decoded(), keys.decoded()[:, :2])
    assert not store.keys[0][0].decoded().any()


@given(
    st.lists(st.floats(-(2.0**99), 2.0**99, width=32), min_size=1, max_size=20),
    st.sampled_from(["float32", "bfloat16", "float16"]),
)
def test_int8_is_off_by_half_a_step_at_most(numbers: list[float], dtype: str) -> None:
    """A step is the largest magnitude / 127; half precision brings its own rounding of the peak."""
    vector = torch.tensor(numbers).to(getattr(torch, dtype)).nan_to_num()
    kept = format_of("int8").encode(vector)
    assert kept.codes.dtype == torch.int8
    peak = vector.abs().max().float()
    assert kept.peaks == peak
    error = (kept.decoded() - vector.float()).abs().max()
    assert error <= peak * (0.5 / 127 + 2**-20) + torch.finfo(torch.float32).tiny


@pytest.mark.parametrize("name", ["float32", *ROUGH])
def test_zeros_stay_zeros(name: str) -> None:
    assert not format_of(name).encode(torch.zeros(2, 3, 8)).decoded().any()


def test_formats_have_the_names_of_the_settings() -> None:
    assert [format_of(name).name for name in KV_DTYPES_OF_SETTINGS] == list(KV_DTYPES_OF_SETTINGS)
