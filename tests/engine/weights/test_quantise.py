"""Weights in int8 and int4: what is quantised, what it costs in bytes, and that streaming stays
exact with them."""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from torch import nn
from transformers import PreTrainedModel

from engine.attention.adapters import set_attention
from engine.attention.hook import IMPLEMENTATION
from engine.config import WEIGHT_DTYPES, EngineConfig
from engine.errors import ConfigError, ModelRefused, NotStreamable
from engine.model.load import load, load_weights
from engine.model.model import StreamingModel
from engine.weights import quantise as quantise_module
from engine.weights.int4_linear import GROUP
from engine.weights.quantise import in_int4, num_bytes, quantise, weight_tensors
from tests.engine.families import tiny
from tests.engine.mixtures import mixtures
from tests.engine.reference import reference_logits
from tests.engine.streams import Stream, mixture_logits, streaming_of, tokens
from tests.engine.weights.int8_products import needs_products
from tests.engine.weights.torchao_missing import without_torchao

FAMILIES = ["llama", "qwen3", "gemma2", "gpt-neox", "phi", "gptj", "falcon", "mpt", "bloom"]


def quantised(family: str, weight_dtype: str) -> PreTrainedModel:
    model = tiny(family)
    quantise(model, weight_dtype)
    return model


@pytest.mark.parametrize("weight_dtype", WEIGHT_DTYPES)
@pytest.mark.parametrize("family", FAMILIES)
def test_quantised_family_equals_the_reference_of_the_same_quantised_model(
    family: str, weight_dtype: str
) -> None:
    streams = [Stream(3, tokens(70, seed=1)), Stream(0, tokens(45, seed=2))]
    model = streaming_of(quantised(family, weight_dtype))
    results = mixture_logits(model, streams, 20, max_chunk=9, max_step_tokens=14)
    naive, full = quantised(family, weight_dtype), tiny(family)
    for stream, logits in zip(streams, results, strict=True):
        window = stream.num_sinks, 20 - stream.num_sinks
        expected = reference_logits(naive, stream.token_ids, *window)
        torch.testing.assert_close(logits, expected, atol=1e-4, rtol=0)
        unquantised = reference_logits(full, stream.token_ids, *window)
        assert 1e-3 < (expected - unquantised).norm() / unquantised.norm() < 1


STREAMS = [Stream(3, tokens(70, seed=1)), Stream(0, tokens(45, seed=2))]


@pytest.mark.parametrize("family", [*FAMILIES, "mixtral", "gpt-oss"])
@pytest.mark.filterwarnings("ignore")  # of the models' own code
def test_family_as_loading_makes_it_is_off_by_no_more_than_16_bits(
    family: str, tmp_path: Path
) -> None:
    """Of the norm of the logits; 0.00020 is the most that was measured, of gpt-oss."""
    tiny(family).save_pretrained(tmp_path)
    model = load(EngineConfig(str(tmp_path), weight_dtype="int8"))
    results = mixture_logits(model, STREAMS, 20, max_chunk=9, max_step_tokens=14)
    naive = quantised(family, "int8")
    for stream, logits in zip(STREAMS, results, strict=True):
        expected = reference_logits(
            naive, stream.token_ids, stream.num_sinks, 20 - stream.num_sinks
        )
        assert (logits - expected).norm() < 5e-4 * expected.norm()


@needs_products
@pytest.mark.parametrize("family", [*FAMILIES, "mixtral", "gpt-oss"])
@pytest.mark.filterwarnings("ignore")  # of the models' own code
def test_family_computing_in_int8_is_the_same_in_chunks_and_in_company(
    family: str, tmp_path: Path
) -> None:
    """Two chunkings differ by 1e-7 before an input is rounded. Where that tips none of its numbers
    into another code, logits differ by 1e-5 of what rounding moves them; where it does (in 3 of 150
    streams), they are rounded otherwise: as far from the exact, and no more than twice as far from
    each other."""
    tiny(family).save_pretrained(tmp_path)
    numbers = {"weight_dtype": "int8", "compute_dtype": "int8"}
    model = load(EngineConfig(str(tmp_path), **numbers))  # type: ignore[arg-type]
    results = mixture_logits(model, STREAMS, 20, max_chunk=9, max_step_tokens=14)
    naive = quantised(family, "int8")
    for stream, logits in zip(STREAMS, results, strict=True):
        (token_by_token,) = mixture_logits(model, [stream], 20, 1, 1)
        exact = reference_logits(naive, stream.token_ids, stream.num_sinks, 20 - stream.num_sinks)
        moved = (token_by_token - exact).norm()
        assert (logits - token_by_token).norm() < 2 * moved
        assert 1e-3 < moved / exact.norm() < 0.2


@cache
def llama_computing_in_int8() -> StreamingModel:
    hf = quantised("llama", "int8")
    set_attention(hf, IMPLEMENTATION)
    model = StreamingModel(hf, compute_dtype="int8")
    model.pack()
    return model


@needs_products
@settings(max_examples=20)
@given(mixtures())
def test_any_mixture_computing_in_int8_is_as_near_to_the_exact_as_token_by_token(
    mixture: tuple[list[Stream], int, int, int],
) -> None:
    """Chunks and company may tip a rounding, which then is another of the same size: the logits of
    this model are within 0.05 of their norm, however they are computed."""
    streams, num_slots, *limits = mixture
    results = mixture_logits(llama_computing_in_int8(), streams, num_slots, *limits)
    naive = quantised("llama", "int8")
    for stream, logits in zip(streams, results, strict=True):
        window = stream.num_sinks, num_slots - stream.num_sinks, stream.num_discard
        exact = reference_logits(naive, stream.token_ids, *window)
        assert (logits - exact).norm() < 0.1 * exact.norm()


@pytest.mark.parametrize("weight_dtype", WEIGHT_DTYPES)
def test_embedding_output_layer_and_norms_stay_as_they_are(weight_dtype: str) -> None:
    model, full = quantised("llama", weight_dtype), tiny("llama")
    before, after = dict(full.named_parameters()), dict(model.named_parameters())
    linears = [name for name, part in full.named_modules() if isinstance(part, nn.Linear)]
    changed = {f"{name}.weight" for name in linears if name != "lm_head"}
    untouched = [name for name in before if name not in changed]
    assert {"model.embed_tokens.weight", "lm_head.weight", "model.norm.weight"} <= set(untouched)
    assert all(torch.equal(before[name], after[name]) for name in untouched)


def test_a_weight_in_int4_is_off_by_half_a_step_at_most() -> None:
    linear = nn.Linear(3 * GROUP, 10)
    packed = in_int4(linear, pytest.importorskip("torchao.quantization"))
    groups = linear.weight.detach().view(10, 3, GROUP)
    # Zero is one of the values, so that a group reaches from its least to its largest with it.
    reach = groups.amax(2).clamp(min=0) - groups.amin(2).clamp(max=0)
    error = (packed.unpacked(torch.float32).view_as(groups) - groups).abs().amax(2)
    assert (error <= reach / 15 * 0.51).all()
    assert len(packed.unpacked(torch.float32).view_as(groups)[0, 0].unique()) <= 16
    inputs = torch.randn(4, 3 * GROUP)
    expected = inputs @ packed.unpacked(torch.float32).T + linear.bias
    torch.testing.assert_close(packed(inputs), expected)


def test_bytes_are_those_of_the_codes_and_their_scales() -> None:
    def of_linears(model: PreTrainedModel) -> int:
        tensors = {name: tensor for name, tensor in weight_tensors(model) if "_proj" in name}
        return sum(tensor.untyped_storage().nbytes() for tensor in tensors.values())

    # Two layers: q and o 32 x 32, k and v 16 x 32, gate and up 48 x 32, down 32 x 48.
    by_32, by_48 = 2 * (32 + 32 + 16 + 16 + 48 + 48), 2 * 32
    num_weights = by_32 * 32 + by_48 * 48
    assert of_linears(tiny("llama")) == 4 * num_weights
    # A scale of four bytes and a zero of one for each output.
    assert of_linears(quantised("llama", "int8")) == num_weights + 5 * (by_32 + by_48)
    # A scale of two bytes and a zero of one for each group; 48 inputs are no whole groups.
    assert of_linears(quantised("llama", "int4")) == by_32 * (32 // 2 + 3) + 4 * by_48 * 48
    others = num_bytes(tiny("llama")) - of_linears(tiny("llama"))
    int4 = quantised("llama", "int4")
    assert num_bytes(int4) == others + of_linears(int4)


@needs_products
def test_weights_arranged_for_products_are_the_codes_and_their_scales(tmp_path: Path) -> None:
    full = tiny("llama")
    full.save_pretrained(tmp_path)
    linears = [
        part.weight
        for name, part in full.named_modules()
        if isinstance(part, nn.Linear) and name != "lm_head"
    ]
    codes, outputs = sum(w.numel() for w in linears), sum(len(w) for w in linears)
    loaded = load(EngineConfig(str(tmp_path), weight_dtype="int8"))
    assert loaded.weight_bytes == num_bytes(full) - 4 * codes + codes + 4 * outputs


def test_fingerprint_tells_apart_who_computes_in_int8(model_directory: Path) -> None:
    weights_in_int8 = load_weights(EngineConfig(str(model_directory), weight_dtype="int8"))
    fingerprints = {
        StreamingModel(weights_in_int8, compute_dtype=compute_dtype).fingerprint
        for compute_dtype in (None, "int8", None, "int8")
    }
    assert len(fingerprints) == 2


def test_fingerprint_tells_every_format_apart(model_directory: Path) -> None:
    numbers = [{}, {"weight_dtype": "int8"}, {"weight_dtype": "int4"}, {"kv_dtype": "int8"}]
    configs = [EngineConfig(str(model_directory), **each) for each in numbers]  # type: ignore[arg-type]
    first, second = ([load(config).fingerprint for config in configs] for _ in range(2))
    assert first == second
    assert len(set(first)) == len(numbers)


def test_without_torchao_it_is_one_line_that_says_how_to_get_it(
    model_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_torchao(monkeypatch)
    for weight_dtype in WEIGHT_DTYPES:
        with pytest.raises(ConfigError, match=r"weight_dtype=.*pip install 'weir\[quantized\]'"):
            load(EngineConfig(str(model_directory), weight_dtype=weight_dtype))


def test_model_without_anything_to_quantise_is_refused(
    model_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quantise_module, "GROUP", 1 << 20)
    with pytest.raises(NotStreamable, match="no linear layers whose weights could be int4"):
        quantise(tiny("llama"), "int4")
    with pytest.raises(ModelRefused, match="no linear layers"):
        load(EngineConfig(str(model_directory), weight_dtype="int4"))


def test_torchao_is_imported_without_a_word() -> None:
    root = Path(__file__).parents[3]
    found = subprocess.run(
        [
            sys.executable,
            "-W",
            "error",
            "-c",
            "import logging; logging.basicConfig(); import engine, torchao.quantization",
        ],
        check=True,
        capture_output=True,
        text=True,
        cwd=root,
        timeout=100,
    )
    assert (found.stdout, found.stderr) == ("", "")
