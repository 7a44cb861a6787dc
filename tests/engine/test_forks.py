"""A fork reads its stream's memory and leaves no trace in it."""

from __future__ import annotations

import pytest
import torch

from engine.engine import Engine
from engine.errors import EngineError, NoFreeRow
from engine.schedule.generation import GenerateRequest
from engine.schedule.session import Session
from tests.engine.streams import KV_DTYPES, run, tiny_engine, tokens


def row_of(engine: Engine, session: Session) -> list[torch.Tensor]:
    store = engine._store
    return [tensor[session.row].clone() for tensor in store.tensors.values()]


@pytest.mark.parametrize("kv_dtype", KV_DTYPES)
def test_original_is_bit_identical_after_its_fork_has_generated(kv_dtype: str | None) -> None:
    engine = tiny_engine(kv_dtype=kv_dtype)
    stream = engine.open(prefix=tokens(3))
    engine.feed(stream, tokens(40))
    run(engine)
    before = row_of(engine, stream)
    counters = (stream.num_computed, stream.base, stream.num_slid_out)
    fork = engine.fork(stream)
    assert all(map(torch.equal, before, row_of(engine, fork)))
    engine.generate(fork, tokens(5, seed=1), GenerateRequest(max_tokens=30))
    run(engine)
    assert all(map(torch.equal, before, row_of(engine, stream)))
    assert not any(map(torch.equal, before, row_of(engine, fork)))
    assert counters == (stream.num_computed, stream.base, stream.num_slid_out)


def test_stream_feeds_on_while_its_fork_generates() -> None:
    """Both come out as if the other were not there."""
    engine = tiny_engine()
    stream = engine.open()
    engine.feed(stream, tokens(40))
    run(engine)
    fork = engine.fork(stream)
    engine.generate(fork, tokens(5, seed=1), GenerateRequest(max_tokens=12))
    engine.feed(stream, tokens(60, seed=2))
    run(engine)
    engine.generate(stream, tokens(5, seed=3), GenerateRequest(max_tokens=12))
    run(engine)

    alone = tiny_engine()
    asked = alone.open()
    alone.generate(asked, tokens(40) + tokens(5, seed=1), GenerateRequest(max_tokens=12))
    other = alone.open()
    whole = tokens(40) + tokens(60, seed=2) + tokens(5, seed=3)
    run(alone)
    alone.generate(other, whole, GenerateRequest(max_tokens=12))
    run(alone)
    assert (fork.generated, stream.generated) == (asked.generated, other.generated)


def test_fork_has_what_is_computed_and_not_what_is_pending() -> None:
    engine = tiny_engine()
    stream = engine.open()
    engine.feed(stream, tokens(20))
    engine.step()
    fork = engine.fork(stream)
    assert (fork.num_seen, fork.num_pending) == (stream.num_computed, 0)
    assert 0 < fork.num_seen < stream.num_seen


def test_rows_run_out_and_come_back() -> None:
    engine = tiny_engine(num_rows=2)
    stream = engine.open()
    fork = engine.fork(stream)
    with pytest.raises(NoFreeRow):
        engine.fork(stream)
    engine.close(fork)
    engine.close(fork)
    assert engine.num_free_rows == 1
    engine.check_integrity()


def test_closed_session_cannot_be_forked_and_takes_no_row() -> None:
    engine = tiny_engine()
    stream = engine.open()
    engine.close(stream)
    with pytest.raises(EngineError, match="closed"):
        engine.fork(stream)
    engine.check_integrity()
