"""The paper's comparison: each policy computes what its name says."""

from __future__ import annotations

import json
import math
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.config import EngineConfig
from engine.errors import ConfigError
from engine.evals.perplexity import Comparison, run
from engine.evals.policies import POLICIES
from engine.evals.reading import END_OF_TEXT, INTERRUPTED, losses_of
from engine.evals.texts import Texts
from engine.schedule.window import Window
from tests.engine.families import tiny
from tests.engine.reference import reference_logits
from tests.engine.streams import streaming, tokens

WINDOW = Window(2, 10)
TEXT = "The gauge by the bridge was read at six, and again at seven. " * 3
LONG_TEXT = "The gauge by the bridge was read at six, and again at seven.\n" * 40
# layers x (key + value) x KV heads x head dim x bytes
BYTES_PER_TOKEN = 2 * 2 * 2 * 8 * 4


def losses_by(policy: str, token_ids: list[int], family: str = "llama") -> torch.Tensor:
    """Fed 256 tokens at a time, as a text is."""
    reader = POLICIES[policy](streaming(family), WINDOW)
    ends = range(0, len(token_ids) - 1, 256)
    return torch.cat(
        [losses_of(reader.feed(token_ids[i:-1][:256]), token_ids[i + 1 :][:256]) for i in ends]
    )


def comparison(model: Path, *texts: Path, policies: dict[str, int], **options: Any) -> Comparison:
    limits = {"max_seconds": math.inf, "max_kv_bytes": math.inf, **options}
    config = EngineConfig(str(model), num_sinks=2, num_recent=10)
    return Comparison(config, Texts(texts), policies, **limits)


def losses_from(logits: torch.Tensor, token_ids: list[int]) -> torch.Tensor:
    following = torch.tensor(token_ids[1:])
    return -logits.log_softmax(-1)[:-1].gather(1, following.unsqueeze(1)).squeeze(1)


def test_sinks_policy_has_the_losses_of_the_definition() -> None:
    token_ids = tokens(300)
    expected = losses_from(reference_logits(tiny("llama"), token_ids, 2, 10), token_ids)
    torch.testing.assert_close(losses_by("sinks", token_ids), expected, atol=1e-4, rtol=0)


def test_window_policy_has_the_same_memory_and_no_sinks() -> None:
    token_ids = tokens(60)
    expected = losses_from(reference_logits(tiny("llama"), token_ids, 0, 12), token_ids)
    torch.testing.assert_close(losses_by("window", token_ids), expected, atol=1e-4, rtol=0)


def test_dense_policy_sees_everything() -> None:
    token_ids = tokens(300)
    with torch.inference_mode():
        logits = tiny("llama")(torch.tensor([token_ids])).logits[0]
    expected = losses_from(logits, token_ids)
    torch.testing.assert_close(losses_by("dense", token_ids), expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("family", ["bloom", "falcon", "falcon-alibi", "mpt"])
def test_dense_policy_reads_adapted_families_with_their_own_attention(family: str) -> None:
    token_ids = tokens(300)
    model = streaming(family)
    expected = losses_from(model.dense_logits(token_ids), token_ids)
    torch.testing.assert_close(losses_by("dense", token_ids, family), expected, atol=1e-4, rtol=0)


def test_blocks_policy_discards_half_of_what_is_not_kept() -> None:
    token_ids = tokens(60)
    expected = losses_from(reference_logits(tiny("llama"), token_ids, 2, 10, 5), token_ids)
    torch.testing.assert_close(losses_by("blocks", token_ids), expected, atol=1e-4, rtol=0)


def test_recompute_policy_reads_the_last_tokens_from_nothing() -> None:
    token_ids = tokens(40)
    with torch.inference_mode():
        rows = [
            tiny("llama")(torch.tensor([token_ids[max(0, stop - 12) : stop]])).logits[0, -1]
            for stop in range(1, 41)
        ]
    expected = losses_from(torch.stack(rows), token_ids)
    torch.testing.assert_close(losses_by("recompute", token_ids), expected, atol=1e-4, rtol=0)


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_text(TEXT)
    return path


@pytest.fixture
def long_text(tmp_path: Path) -> Path:
    path = tmp_path / "long.txt"
    path.write_text(LONG_TEXT)
    return path


def test_run_prints_the_comparison_and_draws_it(
    model_directory: Path, text: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    png, policies = tmp_path / "losses.png", dict.fromkeys(POLICIES, 90)
    readings = run(comparison(model_directory, text, policies=policies), picture=png)
    printed = capsys.readouterr().out
    assert [reading.policy for reading in readings] == list(POLICIES)
    for reading in readings:
        assert reading.num_tokens == 90
        assert f"{reading.total.perplexity:,.2f}" in printed
    held = [reading.kv_bytes // BYTES_PER_TOKEN for reading in readings]
    assert held == [89, 12, 12, 12, 12]  # the last token is predicted and not read
    assert png.read_bytes().startswith(b"\x89PNG")
    figures = json.loads(printed.splitlines()[-1])
    assert figures["policies"]["sinks"]["num_tokens"] == 90


def test_buckets_are_the_means_of_the_losses_with_memory_beside_them(
    model_directory: Path, long_text: Path, tmp_path: Path
) -> None:
    log = tmp_path / "curve.jsonl"
    what = comparison(model_directory, long_text, policies={"sinks": 2000, "dense": 2000})
    sinks, dense = run(what, log=log)
    assert sinks.num_tokens == dense.num_tokens == 2000
    for reading in (sinks, dense):
        nats = sum(bucket.loss * bucket.count for bucket in reading.buckets)
        assert math.isclose(nats, reading.total.nats, rel_tol=1e-9)
        assert reading.buckets[-1].num_tokens == 2000
        assert all(bucket.resident_bytes > 2**20 for bucket in reading.buckets)
    assert {bucket.kv_bytes for bucket in sinks.buckets} == {12 * BYTES_PER_TOKEN}
    assert dense.buckets[-1].kv_bytes == 1999 * BYTES_PER_TOKEN
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line["loss"] for line in lines] == [b.loss for b in (*sinks.buckets, *dense.buckets)]


def test_a_policy_ends_where_its_limit_is_and_says_which(
    model_directory: Path, long_text: Path
) -> None:
    policies = {"dense": 10_000, "window": 300, "sinks": 10_000}
    readings = run(
        comparison(
            model_directory, long_text, policies=policies, max_kv_bytes=700 * BYTES_PER_TOKEN
        )
    )
    dense, window, sinks = readings
    assert dense.num_tokens == 769 and "keys and values" in dense.ended
    assert window.num_tokens == 300 and window.ended == "300 tokens, as asked"
    assert sinks.num_tokens == len(LONG_TEXT) + 1 and sinks.ended == END_OF_TEXT


def test_time_ends_a_policy(model_directory: Path, long_text: Path) -> None:
    policies = {"window": 10_000, "sinks": 10_000}
    readings = run(comparison(model_directory, long_text, policies=policies, max_seconds=1e-9))
    assert [reading.num_tokens for reading in readings] == [257, 257]
    assert all("seconds" in reading.ended for reading in readings)


def test_what_had_been_read_counts_when_it_is_stopped(
    model_directory: Path, long_text: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = count()
    what = comparison(model_directory, long_text, policies={"sinks": 9000, "window": 9000})
    [sinks] = run(what, is_stopped=lambda: next(asked) >= 3)
    assert (sinks.num_tokens, sinks.ended) == (3 * 256 + 1, INTERRUPTED)
    figures = json.loads(capsys.readouterr().out.splitlines()[-1])["policies"]
    assert figures["sinks"]["perplexity"] == round(sinks.total.perplexity, 4)
    whole = run(comparison(model_directory, long_text, policies={"sinks": 3 * 256 + 1}))
    assert whole[0].total == sinks.total


def test_several_files_read_as_their_concatenation_does(
    model_directory: Path, tmp_path: Path
) -> None:
    parts = [LONG_TEXT[:1000], "", LONG_TEXT[1000:1010], LONG_TEXT[1010:]]
    paths = [tmp_path / f"{number}.txt" for number in range(len(parts))]
    for path, part in zip(paths, parts, strict=True):
        path.write_text(part)
    joined = tmp_path / "joined.txt"
    joined.write_text("".join(parts))
    policies = {"sinks": 10_000}
    [several] = run(comparison(model_directory, *paths, policies=policies))
    [one] = run(comparison(model_directory, joined, policies=policies))
    assert several.total == one.total and several.total.count == len(LONG_TEXT)
    by_path = several.by_path.values()
    assert math.isclose(sum(mean.nats for mean in by_path), one.total.nats, rel_tol=1e-12)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            {"policies": {"sinks": 9, "magic": 9}},
            "policies=.*magic.*dense, window, recompute, blo",
        ),
        ({"policies": {"sinks": 1}}, "max_tokens=1 of sinks"),
    ],
)
def test_wrong_argument_is_named(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        comparison(Path("model"), Path("text"), **wrong)


@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe"])
def test_a_text_that_cannot_be_read_is_named(
    model_directory: Path, tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "wrong.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"wrong\.txt' needs to be"):
        run(comparison(model_directory, path, policies={"sinks": 100}))
