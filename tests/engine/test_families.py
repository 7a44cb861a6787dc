"""Every family that is said to stream does, whatever its rotation, masks and heads."""

from __future__ import annotations

import pytest
import torch
from families import FAMILIES, tiny
from reference import reference_logits
from streams import Stream, mixture_logits, streaming, tokens


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.filterwarnings("ignore")  # of the model's own code
def test_family_equals_the_reference_in_chunks_and_in_company(family: str) -> None:
    streams = [Stream(3, tokens(70, seed=1)), Stream(0, tokens(45, seed=2))]
    results = mixture_logits(streaming(family), streams, 20, max_chunk=9, max_step_tokens=14)
    model = tiny(family)
    for stream, logits in zip(streams, results, strict=True):
        expected = reference_logits(
            model, stream.token_ids, stream.num_sinks, 20 - stream.num_sinks
        )
        torch.testing.assert_close(logits, expected, atol=1e-4, rtol=0)


ROTATIONS = {
    "llama": [(8, "halves"), (8, "halves")],
    "phi": [(4, "halves"), (4, "halves")],
    "gpt-neox": [(2, "halves"), (2, "halves")],
    "cohere": [(8, "interleaved"), (8, "interleaved")],
    "glm": [(8, "interleaved"), (8, "interleaved")],
    "smollm3": [(8, "halves"), (0, "halves")],
}


@pytest.mark.parametrize("family", ROTATIONS)
def test_rotation_is_recognised_by_watching(family: str) -> None:
    found = [(rotary.width, rotary.layout) for rotary in streaming(family).rotaries]
    assert found == ROTATIONS[family]


def test_local_and_global_layers_may_rotate_at_different_speeds() -> None:
    local, wide = streaming("gemma3").rotaries
    assert not torch.equal(local.inv_freq, wide.inv_freq)
