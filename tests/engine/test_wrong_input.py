"""What a caller gets wrong is said to that caller, and costs nobody else a step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from engine.errors import ConfigError, EngineError
from engine.schedule.generation import GenerateRequest, Sampling
from tests.engine.families import VOCAB_SIZE
from tests.engine.streams import run, tiny_engine, tokens

UNKNOWN = [VOCAB_SIZE, -1, 2**70]


@pytest.mark.parametrize("token", UNKNOWN)
def test_unknown_token_is_refused_when_it_comes_and_leaves_no_trace(token: int) -> None:
    engine = tiny_engine(num_rows=2)
    session = engine.open()
    message = f"^{token} is none of the model's {VOCAB_SIZE} tokens"
    with pytest.raises(EngineError, match=message):
        engine.feed(session, [5, token])
    with pytest.raises(EngineError, match=message):
        engine.generate(session, [5, token], GenerateRequest(max_tokens=3))
    with pytest.raises(EngineError, match=message):
        engine.open(prefix=[5, token])
    assert session.num_seen == 0 and not session.is_generating
    assert engine.num_free_rows == 1
    engine.check_integrity()


@pytest.mark.parametrize("wrong", [[3.0], ["3"], "3", torch.tensor([[3, 4]])])
def test_what_is_no_token_at_all_is_a_type_error(wrong: Any) -> None:
    engine = tiny_engine()
    session = engine.open()
    with pytest.raises(TypeError):
        engine.feed(session, wrong)
    assert not engine.has_work


@pytest.mark.parametrize("convert", [tuple, np.array, torch.tensor, iter])
def test_tokens_may_come_in_any_container(convert: Any) -> None:
    engine = tiny_engine()
    session = engine.open()
    engine.feed(session, convert(tokens(9)))
    assert session.pending == tokens(9)
    assert {type(token) for token in session.pending} == {int}
    run(engine)


def test_temperature_that_is_no_number_is_refused() -> None:
    with pytest.raises(ConfigError, match="temperature=nan"):
        GenerateRequest(max_tokens=3, sampling=Sampling(temperature=float("nan")))


@pytest.mark.parametrize("kv_dtype", ["float32", "int8"])
@pytest.mark.parametrize("num_recent", [10**13, 10**30])
def test_window_beyond_all_memory_is_refused(num_recent: int, kv_dtype: str) -> None:
    with pytest.raises(EngineError, match="no memory for 6 rows"):
        tiny_engine(num_recent=num_recent, kv_dtype=kv_dtype)


@pytest.mark.parametrize("seed", [-1, 2**43, 2**70])
def test_any_whole_number_is_a_seed(seed: int) -> None:
    engine = tiny_engine()
    outputs = []
    for _ in range(2):
        session = engine.open()
        request = GenerateRequest(max_tokens=8, sampling=Sampling(temperature=1.0), seed=seed)
        engine.generate(session, tokens(5), request)
        run(engine)
        outputs.append(session.generated)
    assert outputs[0] == outputs[1]


def test_session_of_another_engine_is_refused_and_keeps_its_row(tmp_path: Path) -> None:
    engine, other = tiny_engine(num_rows=2), tiny_engine(num_rows=2)
    session = other.open()
    for use in (
        lambda: engine.feed(session, [3]),
        lambda: engine.generate(session, [3], GenerateRequest(max_tokens=3)),
        lambda: engine.fork(session),
        lambda: engine.save(session, tmp_path / "saved"),
        lambda: engine.close(session),
    ):
        with pytest.raises(EngineError, match="another engine"):
            use()
    other.feed(session, tokens(5))
    run(other)
    assert session.num_computed == 5
    assert engine.num_free_rows == 2
