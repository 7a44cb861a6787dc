"""Every family that is said to stream does, whatever its rotation, masks and heads."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from engine.config import EngineConfig
from engine.engine import Engine
from engine.model.load import load
from engine.schedule.session import Session
from tests.engine.families import FAMILIES, tiny, tiny_of
from tests.engine.reference import reference_logits
from tests.engine.streams import Stream, mixture_logits, run, streaming, tiny_engine, tokens


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.filterwarnings("ignore")  # of the model's own code
def test_family_equals_the_reference_in_chunks_and_in_company(family: str) -> None:
    streams = [
        Stream(3, tokens(70, seed=1)),
        Stream(0, tokens(45, seed=2)),
        Stream(2, tokens(45, seed=3), num_discard=7),
    ]
    results = mixture_logits(streaming(family), streams, 20, max_chunk=9, max_step_tokens=14)
    model = tiny(family)
    for stream, logits in zip(streams, results, strict=True):
        expected = reference_logits(
            model, stream.token_ids, stream.num_sinks, 20 - stream.num_sinks, stream.num_discard
        )
        torch.testing.assert_close(logits, expected, atol=1e-4, rtol=0)


ROUGH_ROWS = [(family, "int8") for family in ("llama", "gpt-neox", "mpt")]


@pytest.mark.parametrize(
    ("family", "kv_dtype"), [*((family, None) for family in FAMILIES), *ROUGH_ROWS]
)
@pytest.mark.filterwarnings("ignore")  # of the model's own code
def test_family_goes_on_bit_identically_when_copied_and_when_saved(
    family: str, kv_dtype: str | None, tmp_path: Path
) -> None:
    engine = tiny_engine(family, kv_dtype=kv_dtype)
    stream = engine.open(prefix=tokens(3))
    engine.feed(stream, tokens(40))
    run(engine)
    engine.save(stream, tmp_path / "saved")
    copies = [engine.fork(stream), engine.restore(tmp_path / "saved")]
    expected = row_after_more(engine, stream)
    for copy in copies:
        assert all(map(torch.equal, row_after_more(engine, copy), expected))


def row_after_more(engine: Engine, session: Session) -> list[torch.Tensor]:
    engine.feed(session, tokens(21, seed=7))
    run(engine)
    return list(engine._store.read_row(session.row, session.window_fill).values())


@pytest.mark.parametrize("family", ["bloom", "falcon", "falcon-alibi", "gptj", "mpt"])
def test_adapted_family_loads_from_a_directory(family: str, tmp_path: Path) -> None:
    tiny(family).save_pretrained(tmp_path)
    (loaded,) = mixture_logits(load(EngineConfig(str(tmp_path))), [Stream(2, tokens(30))], 9, 7, 7)
    (known,) = mixture_logits(streaming(family), [Stream(2, tokens(30))], 9, 7, 7)
    torch.testing.assert_close(loaded, known, atol=1e-4, rtol=0)


ADAPTED = ["bloom-six-heads", "falcon", "falcon-alibi", "gptj", "mpt"]


@pytest.mark.parametrize("family", ADAPTED)
def test_adapted_family_in_half_precision_adds_no_noise_of_its_own(family: str) -> None:
    """Against float32, the engine in bfloat16 is as near as the model in bfloat16."""
    token_ids = tokens(60)
    weights = tiny(family, torch.bfloat16)
    expected = reference_logits(tiny(family, torch.bfloat16).float(), token_ids, 3, 20)
    own_noise = (reference_logits(weights, token_ids, 3, 20) - expected).norm()
    stream = Stream(3, token_ids)
    (logits,) = mixture_logits(streaming(family, torch.bfloat16), [stream], 23, 17, 17)
    assert (logits - expected).norm() < 1.5 * own_noise


def test_positions_may_pass_the_end_of_a_model_s_own_table() -> None:
    """GPT-J has a table of 256 positions here; the same weights with a longer one go as far."""
    config = FAMILIES["gptj"]()
    config.n_positions = 512
    token_ids = tokens(400)
    with torch.inference_mode():
        dense = tiny_of(config)(torch.tensor([token_ids])).logits[0]
    (logits,) = mixture_logits(streaming("gptj"), [Stream(4, token_ids)], 404, 128, 128)
    torch.testing.assert_close(logits, dense, atol=1e-4, rtol=0)


ROTATIONS = {
    "llama": [(8, "halves"), (8, "halves")],
    "phi": [(4, "halves"), (4, "halves")],
    "gpt-neox": [(2, "halves"), (2, "halves")],
    "cohere": [(8, "interleaved"), (8, "interleaved")],
    "glm": [(8, "interleaved"), (8, "interleaved")],
    "gptj": [(4, "interleaved"), (4, "interleaved")],
    "falcon": [(8, "halves"), (8, "halves")],
    "falcon-alibi": [(0, "halves"), (0, "halves")],
    "smollm3": [(8, "halves"), (0, "halves")],
}


@pytest.mark.parametrize("family", ROTATIONS)
def test_rotation_is_recognised_by_watching(family: str) -> None:
    found = [(rotary.width, rotary.layout) for rotary in streaming(family).rotaries]
    assert found == ROTATIONS[family]


def test_local_and_global_layers_may_rotate_at_different_speeds() -> None:
    local, wide = streaming("gemma3").rotaries
    assert not torch.equal(local.inv_freq, wide.inv_freq)
