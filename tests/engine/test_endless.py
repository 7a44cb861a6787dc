"""However long a stream has run: the same answers from the same memory."""

from __future__ import annotations

import pytest
import torch

from engine.engine import Engine
from engine.errors import ConfigError
from engine.model.lone_stream import LoneStream
from engine.schedule.generation import GenerateRequest
from engine.schedule.session import Session
from engine.schedule.window import Window
from tests.engine.streams import KV_DTYPES, run, streaming, tiny_engine, tokens


def outputs(engine: Engine, session: Session) -> tuple[list[int], list[torch.Tensor]]:
    engine.feed(session, tokens(90))
    run(engine)
    engine.generate(session, tokens(5), GenerateRequest(max_tokens=20))
    run(engine)
    store = engine._store
    row = [tensor[session.row].clone() for tensor in store.tensors.values()]
    return session.generated, row


@pytest.mark.parametrize("kv_dtype", KV_DTYPES)
def test_session_started_at_2_to_the_40_behaves_like_one_started_at_0(
    kv_dtype: str | None,
) -> None:
    engine, other = tiny_engine(kv_dtype=kv_dtype), tiny_engine(kv_dtype=kv_dtype)
    far, near = engine.open(start=2**40), other.open()
    (far_text, far_row), (text, row) = outputs(engine, far), outputs(other, near)
    assert far_text == text
    assert all(map(torch.equal, far_row, row))
    assert far.num_seen - 2**40 == near.num_seen
    assert far.num_slid_out == near.num_slid_out


@pytest.mark.parametrize("kv_dtype", KV_DTYPES)
def test_session_that_has_run_for_2_to_the_50_tokens_computes_the_same_bits(
    kv_dtype: str | None,
) -> None:
    """Whole laps of the ring put the same tokens into the same slots; only numbers grow."""
    window = Window(3, 16)
    young, old = (LoneStream(streaming(kv_dtype=kv_dtype), window) for _ in range(2))
    for stream in (young, old):
        for start in range(0, 60, 11):
            stream.feed(tokens(60)[start : start + 11])
    laps = 2**50 * window.num_recent
    old.session.length += laps
    old.session.base += laps
    for seed in range(8):
        assert torch.equal(young.feed(tokens(9, seed)), old.feed(tokens(9, seed)))


# Of the 8 numbers of a head: int8 keeps a float beside them.
BYTES_OF_A_VECTOR = {None: 8 * 4, "bfloat16": 8 * 2, "float16": 8 * 2, "int8": 8 + 4}


@pytest.mark.parametrize("kv_dtype", KV_DTYPES)
def test_memory_is_the_formula_and_flat_over_a_hundred_windows(kv_dtype: str | None) -> None:
    engine = tiny_engine(kv_dtype=kv_dtype, num_sinks=2, num_recent=14, num_rows=6)
    # layers x (key + value) x KV heads x bytes x slots
    bytes_per_row = 2 * 2 * 2 * BYTES_OF_A_VECTOR[kv_dtype] * 16
    report = engine.memory()
    assert (report.bytes_per_row, report.kv_bytes_total) == (bytes_per_row, 6 * bytes_per_row)
    store = engine._store
    tensors = list(store.tensors.values())
    places = [tensor.data_ptr() for tensor in tensors]
    assert sum(tensor.untyped_storage().nbytes() for tensor in tensors) == report.kv_bytes_total
    session = engine.open()
    for seed in range(100):
        engine.feed(session, tokens(16, seed))
        run(engine)
        assert len(session.pending) == 0
    assert session.num_slid_out == 99 * 16
    assert [tensor.data_ptr() for tensor in store.tensors.values()] == places
    assert engine.memory().kv_bytes_total == report.kv_bytes_total


def test_rows_in_use_and_free_add_up() -> None:
    engine = tiny_engine(num_rows=3)
    session = engine.open()
    engine.open()
    assert (engine.memory().rows_in_use, engine.memory().rows_free) == (2, 1)
    engine.close(session)
    assert (engine.memory().rows_in_use, engine.memory().rows_free) == (1, 2)


def test_long_prefix_is_pinned_in_a_row_of_the_same_size() -> None:
    engine = tiny_engine(num_sinks=2, num_recent=14)
    assert engine.open(prefix=tokens(1)).window == Window(2, 14)
    assert engine.open(prefix=tokens(5)).window == Window(5, 11)


def test_prefix_without_room_for_anything_else_is_refused_and_takes_no_row() -> None:
    engine = tiny_engine(num_sinks=2, num_recent=14)
    with pytest.raises(ConfigError, match="num_recent"):
        engine.open(prefix=tokens(16))
    engine.check_integrity()
