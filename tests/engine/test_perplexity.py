"""The paper's comparison: each policy computes what its name says."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from families import tiny
from reference import reference_logits
from streams import streaming, tokens

from engine.errors import ConfigError
from engine.evaluate import run
from engine.policies import POLICIES, losses
from engine.window import Window

WINDOW = Window(2, 10)
TEXT = "The gauge by the bridge was read at six, and again at seven. " * 3


def losses_of(policy: str, token_ids: list[int]) -> torch.Tensor:
    model = streaming()
    return torch.cat(list(losses(POLICIES[policy](model, token_ids, WINDOW), token_ids)))


def losses_from(logits: torch.Tensor, token_ids: list[int]) -> torch.Tensor:
    following = torch.tensor(token_ids[1:])
    return -logits.log_softmax(-1)[:-1].gather(1, following.unsqueeze(1)).squeeze(1)


def test_sinks_policy_has_the_losses_of_the_definition() -> None:
    token_ids = tokens(300)
    expected = losses_from(reference_logits(tiny("llama"), token_ids, 2, 10), token_ids)
    torch.testing.assert_close(losses_of("sinks", token_ids), expected, atol=1e-4, rtol=0)


def test_window_policy_has_the_same_memory_and_no_sinks() -> None:
    token_ids = tokens(60)
    expected = losses_from(reference_logits(tiny("llama"), token_ids, 0, 12), token_ids)
    torch.testing.assert_close(losses_of("window", token_ids), expected, atol=1e-4, rtol=0)


def test_dense_policy_sees_everything() -> None:
    token_ids = tokens(300)
    with torch.inference_mode():
        logits = tiny("llama")(torch.tensor([token_ids])).logits[0]
    expected = losses_from(logits, token_ids)
    torch.testing.assert_close(losses_of("dense", token_ids), expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("family", ["bloom", "falcon", "falcon-alibi", "mpt"])
def test_dense_policy_reads_adapted_families_with_their_own_attention(family: str) -> None:
    token_ids = tokens(300)
    model = streaming(family)
    expected = losses_from(model.dense_logits(token_ids), token_ids)
    dense = torch.cat(list(losses(POLICIES["dense"](model, token_ids, WINDOW), token_ids)))
    torch.testing.assert_close(dense, expected, atol=1e-4, rtol=0)


def test_blocks_policy_discards_half_of_what_is_not_kept() -> None:
    token_ids = tokens(60)
    expected = losses_from(reference_logits(tiny("llama"), token_ids, 2, 10, 5), token_ids)
    torch.testing.assert_close(losses_of("blocks", token_ids), expected, atol=1e-4, rtol=0)


def test_recompute_policy_reads_the_last_tokens_from_nothing() -> None:
    token_ids = tokens(40)
    with torch.inference_mode():
        rows = [
            tiny("llama")(torch.tensor([token_ids[max(0, stop - 12) : stop]])).logits[0, -1]
            for stop in range(1, 41)
        ]
    expected = losses_from(torch.stack(rows), token_ids)
    torch.testing.assert_close(losses_of("recompute", token_ids), expected, atol=1e-4, rtol=0)


def test_run_prints_the_comparison_and_draws_it(
    model_directory: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text, png = tmp_path / "text.txt", tmp_path / "losses.png"
    text.write_text(TEXT)
    readings = run(
        model=str(model_directory), text=text, num_sinks=2, num_recent=10, max_tokens=90, png=png
    )
    printed = capsys.readouterr().out
    assert [reading.policy for reading in readings] == list(POLICIES)
    for reading in readings:
        assert len(reading.losses) == 89
        assert f"{reading.perplexity:,.2f}" in printed
        assert math.isclose(
            reading.perplexity, math.exp(float(reading.losses.mean())), rel_tol=1e-5
        )
    # layers x (key + value) x KV heads x head dim x bytes
    bytes_per_token = 2 * 2 * 2 * 8 * 4
    assert [reading.kv_bytes // bytes_per_token for reading in readings] == [90, 12, 12, 12, 12]
    assert png.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            {"policies": ["sinks", "magic"]},
            "policies=.*magic.*dense, window, recompute, blo",
        ),
        ({"text": Path("/no/such/file")}, "text='/no/such/file'"),
    ],
)
def test_wrong_argument_is_named(
    model_directory: Path, tmp_path: Path, wrong: dict[str, object], message: str
) -> None:
    text = tmp_path / "text.txt"
    text.write_text(TEXT)
    with pytest.raises(ConfigError, match=message):
        run(**{"model": str(model_directory), "text": text, **wrong})  # type: ignore[arg-type]
