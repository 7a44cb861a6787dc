"""More sessions than rows: whoever is parked comes back as if it had kept its row."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.engine import Engine
from engine.errors import ConfigError, EngineError, NoFreeRow, SessionLost
from engine.parking import snapshot
from engine.schedule.generation import GenerateRequest
from engine.schedule.session import Session
from engine.stats import Loss
from tests.engine.streams import run, tiny_engine, tokens

MANY = 24


def crowded(folder: Path | None, host_bytes: int = 0, num_rows: int = 2, **changes: Any) -> Engine:
    """Few rows for many sessions; without host_bytes whoever is parked goes to disk."""
    settings = {"num_sessions": MANY, "park_dir": folder, "park_host_bytes": host_bytes}
    return tiny_engine(num_rows=num_rows, **{**settings, **changes})


def bits(engine: Engine, session: Session) -> dict[str, bytes]:
    tensors = engine._parking.tensors_of(session)
    return {name: tensor.view(torch.uint8).numpy().tobytes() for name, tensor in tensors.items()}


class Twins:
    """The same sessions on an engine with few rows and on one with a row for each."""

    def __init__(self, few: Engine, plenty: Engine) -> None:
        self.engines = (few, plenty)
        self.streams: list[tuple[Session, Session]] = []
        self.answers: list[tuple[Session, Session]] = []

    @property
    def num_open(self) -> int:
        return len(self.streams) + len(self.answers)

    def open(self, num_prefix: int) -> None:
        few, plenty = (engine.open(prefix=tokens(num_prefix)) for engine in self.engines)
        self.streams.append((few, plenty))

    def feed(self, which: int, num_tokens: int) -> None:
        for engine, session in zip(self.engines, self.streams[which], strict=True):
            engine.feed(session, tokens(num_tokens, seed=which))

    def ask(self, which: int, num_tokens: int) -> None:
        """A fork has what is computed, so both must have computed the same."""
        self.run()
        few, plenty = (
            engine.fork(session)
            for engine, session in zip(self.engines, self.streams[which], strict=True)
        )
        for engine, fork in zip(self.engines, (few, plenty), strict=True):
            engine.generate(fork, tokens(3, seed=which), GenerateRequest(max_tokens=num_tokens))
        self.answers.append((few, plenty))

    def close(self, which: int) -> None:
        for engine, session in zip(self.engines, self.streams.pop(which), strict=True):
            engine.close(session)

    def step(self, num_steps: int) -> None:
        for engine in self.engines:
            for _ in range(num_steps):
                assert engine.step().losses == ()
                engine.check_integrity()

    def run(self) -> None:
        for engine in self.engines:
            run(engine)
        for few, plenty in self.answers:
            assert few.generated == plenty.generated
            for engine, session in zip(self.engines, (few, plenty), strict=True):
                engine.close(session)
        self.answers.clear()

    def do(self, kind: str, which: int, amount: int) -> None:
        if kind == "open" or not self.streams:
            self.open(num_prefix=amount % 6)
        elif kind == "step":
            self.step(amount % 4)
        else:
            getattr(self, kind)(which % len(self.streams), *([amount] if kind != "close" else []))


Deed = tuple[str, int, int]
DEEDS = st.lists(
    st.tuples(
        st.sampled_from(["open", "open", "feed", "feed", "feed", "ask", "close", "step"]),
        st.integers(0, MANY),
        st.integers(1, 30),
    ),
    max_size=MANY - 2,
)
HOST_BYTES = st.sampled_from([0, 9000, 2**30])


@settings(max_examples=40)
@given(
    deeds=DEEDS,
    host_bytes=HOST_BYTES,
    num_rows=st.integers(1, 4),
    kv_dtype=st.sampled_from([None, None, "bfloat16", "int8"]),
)
def test_parked_sessions_compute_the_same_bits(
    deeds: Sequence[Deed], host_bytes: int, num_rows: int, kv_dtype: str | None
) -> None:
    """One session at work at a time, so that both engines compute the same steps."""
    with tempfile.TemporaryDirectory() as folder:
        few = crowded(Path(folder), host_bytes, num_rows, kv_dtype=kv_dtype)
        twins = Twins(few, tiny_engine(num_rows=MANY, kv_dtype=kv_dtype))
        for deed in deeds:
            twins.do(*deed)
            twins.run()
        _, plenty = twins.engines
        for one, other in twins.streams:
            assert (one.length, one.base) == (other.length, other.base)
            assert bits(few, one) == bits(plenty, other)


@settings(max_examples=40)
@given(deeds=DEEDS, host_bytes=HOST_BYTES, num_rows=st.integers(1, 4))
def test_sessions_that_share_few_rows_say_what_they_say_with_a_row_each(
    deeds: Sequence[Deed], host_bytes: int, num_rows: int
) -> None:
    """All at work at once: steps differ, and with them the last bits of a sum, not the words."""
    with tempfile.TemporaryDirectory() as folder:
        twins = Twins(crowded(Path(folder), host_bytes, num_rows), tiny_engine(num_rows=MANY))
        for deed in deeds:
            twins.do(*deed)
        twins.run()
        few, plenty = twins.engines
        for one, other in twins.streams:
            seen, expected = few._parking.tensors_of(one), plenty._parking.tensors_of(other)
            for name in expected:
                torch.testing.assert_close(seen[name], expected[name], rtol=1e-4, atol=1e-5)


def test_three_hundred_sessions_on_sixteen_rows_are_those_of_three_hundred_rows(
    tmp_path: Path,
) -> None:
    """Some of them fit host memory; the others are on disk between their turns."""
    host_bytes = 2**18
    few = crowded(tmp_path, host_bytes, num_rows=16, num_sessions=300)
    plenty = tiny_engine(num_rows=300)
    order = torch.randperm(300, generator=torch.Generator().manual_seed(1)).tolist()
    sessions = [[engine.open() for _ in range(300)] for engine in (few, plenty)]
    for engine, opened in zip((few, plenty), sessions, strict=True):
        for number in (*order, *order[::-1]):
            engine.feed(opened[number], tokens(4 + number % 10, seed=number))
            if number % 25 == 0:
                run(engine)
        run(engine)
    memory = few.memory()
    assert memory.rows_in_use == 16
    assert memory.parked_in_host + memory.parked_on_disk == 300 - 16
    assert min(memory.parked_on_disk, memory.parked_in_host) > 50
    assert memory.host_bytes <= host_bytes
    for one, other in zip(*sessions, strict=True):
        expected = plenty._parking.tensors_of(other)
        for name, tensor in few._parking.tensors_of(one).items():
            torch.testing.assert_close(tensor, expected[name], rtol=1e-4, atol=1e-5)


def test_only_filled_slots_are_kept(tmp_path: Path) -> None:
    engine = crowded(None, num_rows=1)
    one, _other = engine.open(), engine.open()
    engine.feed(one, tokens(3))
    run(engine)
    engine.feed(_other, tokens(3))
    run(engine)
    memory = engine.memory()
    assert memory.parked_in_host == 1
    assert memory.host_bytes == memory.bytes_per_row * 3 // engine.window.size


def test_a_session_that_has_computed_nothing_needs_no_place(tmp_path: Path) -> None:
    engine = crowded(tmp_path, num_rows=1)
    for _ in range(MANY):
        engine.open()
    memory = engine.memory()
    assert (memory.rows_in_use, memory.parked_in_host, memory.parked_on_disk) == (1, 0, 0)
    with pytest.raises(NoFreeRow, match=f"All {MANY} sessions are open.*num_sessions"):
        engine.open()


def test_whoever_decodes_keeps_its_row_until_it_has_finished(tmp_path: Path) -> None:
    engine = crowded(tmp_path, num_rows=2)
    speaker = engine.open()
    engine.generate(speaker, tokens(3), GenerateRequest(max_tokens=40))
    engine.step()
    row = speaker.row
    others = [engine.open() for _ in range(5)]
    while speaker.is_generating:
        for other in others:
            engine.feed(other, tokens(1))
        engine.step()
        assert speaker.assigned_row == row or not speaker.is_generating
        assert max(other.num_pending for other in others) <= 2 * len(others)


def test_nobody_starves_however_busy_the_others_are(tmp_path: Path) -> None:
    """Each of the twelve has a chunk computed in any three steps of four rows."""
    engine = crowded(tmp_path, num_rows=4, max_step_tokens=32, max_chunk=8)
    sessions = [engine.open() for _ in range(12)]
    for session in sessions:
        engine.feed(session, tokens(8 * 9))
    for turn in range(1, 9):
        for _ in range(3):
            engine.step()
        assert {session.length for session in sessions} == {8 * turn}


def test_one_session_more_than_rows_moves_one_session_a_step(tmp_path: Path) -> None:
    """With all at work the one served last leaves: the one served first would be back at once."""
    engine = crowded(None, num_rows=8, max_step_tokens=64, max_chunk=8)
    sessions = [engine.open() for _ in range(9)]
    for session in sessions:
        engine.feed(session, tokens(8 * 20))
    num_moves = 0
    while engine.has_work:
        moves = engine.step().moves
        num_moves += moves["seat"].num_sessions if "seat" in moves else 0
        assert num_moves <= 1 + engine._scheduler._num_steps


def test_fork_save_and_close_work_wherever_a_session_is(tmp_path: Path) -> None:
    engine, other = crowded(tmp_path / "park", 5000, num_rows=1), tiny_engine(num_rows=9)
    sessions = [engine.open() for _ in range(4)]
    for session in sessions:
        engine.feed(session, tokens(20))
        run(engine)
    memory = engine.memory()
    assert (memory.rows_in_use, memory.parked_in_host, memory.parked_on_disk) == (1, 1, 2)
    first = bits(engine, sessions[0])
    for number, session in enumerate(sessions):
        assert bits(engine, session) == first
        engine.save(session, tmp_path / str(number))
        assert bits(other, other.restore(tmp_path / str(number))) == first
        fork = engine.fork(session)
        assert bits(engine, fork) == first
        assert bits(engine, engine.restore(tmp_path / str(number))) == first
        engine.close(fork)
        engine.check_integrity()
    for session in list(engine._scheduler.sessions):
        engine.close(session)
        engine.check_integrity()
    memory = engine.memory()
    assert (memory.rows_in_use, memory.parked_in_host, memory.parked_on_disk) == (0, 0, 0)
    assert (memory.host_bytes, memory.disk_bytes) == (0, 0)
    assert list((tmp_path / "park").rglob("*.safetensors")) == []


def full_disk(_: Path, __: bytes, **___: bool) -> None:
    raise OSError(28, "No space left on device")


def losses_of(engine: Engine) -> list[Loss]:
    losses = []
    while engine.has_work:
        losses += engine.step().losses
        engine.check_integrity()
    return losses + list(engine.step().losses)


def test_full_disk_costs_the_session_that_had_to_go_there_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = crowded(tmp_path, num_rows=1)
    one, other = engine.open(), engine.open()
    engine.feed(one, tokens(20))
    run(engine)
    monkeypatch.setattr(snapshot, "_write_atomically", full_disk)
    engine.feed(other, tokens(20))
    [loss] = losses_of(engine)
    assert (loss.session, loss.kind) == (one, "not_stored")
    assert "No space left" in loss.why
    assert (one.is_lost, other.is_lost, other.length) == (True, False, 20)
    for use in (
        lambda: engine.feed(one, tokens(1)),
        lambda: engine.fork(one),
        lambda: engine.save(one, tmp_path / "saved"),
    ):
        with pytest.raises(SessionLost):
            use()
    engine.close(one)
    engine.check_integrity()
    assert engine.memory().host_bytes == 0


def test_full_disk_may_cost_a_session_that_was_about_to_be_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = crowded(tmp_path, num_rows=2)
    one_row = engine.memory().bytes_per_row
    engine._copies._max_host_bytes = 2 * one_row
    sessions = [engine.open() for _ in range(4)]
    for session in sessions:
        engine.feed(session, tokens(20))
        run(engine)
    monkeypatch.setattr(snapshot, "_write_atomically", full_disk)
    engine._copies._max_host_bytes = one_row
    for session in sessions[:2]:
        engine.feed(session, tokens(5))
    losses = losses_of(engine)
    assert {loss.kind for loss in losses} == {"not_stored"}
    lost = {loss.session for loss in losses}
    assert all(session.num_pending == 0 for session in sessions)
    assert {s.length for s in sessions[:2] if s not in lost} <= {25}


@pytest.mark.parametrize("spoil", ["cut", "flip", "remove", "swap"])
def test_torn_file_costs_its_session_and_the_step_goes_on(tmp_path: Path, spoil: str) -> None:
    engine = crowded(tmp_path, num_rows=2)
    sessions = [engine.open() for _ in range(4)]
    for number, session in enumerate(sessions):
        engine.feed(session, tokens(10 + number))
        run(engine)
    files = sorted(tmp_path.rglob("*.safetensors"))
    assert len(files) == 2
    content = files[0].read_bytes()
    if spoil == "cut":
        files[0].write_bytes(content[:-9])
    elif spoil == "flip":
        files[0].write_bytes(content[:-9] + bytes([content[-9] ^ 1]) + content[-8:])
    elif spoil == "remove":
        files[0].unlink()
    else:
        files[0].write_bytes(files[1].read_bytes())
    for session in sessions[:2]:
        engine.feed(session, tokens(5))
    [loss] = losses_of(engine)
    assert (loss.session, loss.kind) == (sessions[0], "not_fetched")
    assert [session.num_computed for session in sessions[1:]] == [16, 12, 13]
    assert sessions[0].num_pending == 0


def test_fork_of_a_torn_session_says_so(tmp_path: Path) -> None:
    engine = crowded(tmp_path, num_rows=1)
    one, other = engine.open(), engine.open()
    for session in (one, other):
        engine.feed(session, tokens(9))
        run(engine)
    [file] = tmp_path.rglob("*.safetensors")
    file.write_bytes(b"")
    with pytest.raises(SessionLost, match="torn"):
        engine.fork(one)
    engine.check_integrity()
    assert [loss.session for loss in engine.step().losses] == [one]
    assert engine.step().losses == ()


def test_forks_wait_for_a_row_on_disk_and_say_the_same(tmp_path: Path) -> None:
    engine = crowded(tmp_path, num_rows=1)
    stream = engine.open()
    engine.feed(stream, tokens(9))
    run(engine)
    forks = [engine.fork(stream) for _ in range(3)]
    assert engine.memory().parked_on_disk == 3
    for fork in forks:
        engine.generate(fork, tokens(2), GenerateRequest(max_tokens=4))
    run(engine)
    assert len({tuple(fork.generated) for fork in forks}) == 1
    assert [fork.finish_reason for fork in forks] == ["length"] * 3
    assert bits(engine, forks[0]) != bits(engine, stream)


def test_an_answer_whose_beginning_is_lost_is_not_taken_for_one(tmp_path: Path) -> None:
    engine = crowded(tmp_path, num_rows=1)
    stream = engine.open()
    engine.feed(stream, tokens(9))
    run(engine)
    fork = engine.fork(stream)
    engine.generate(fork, tokens(2), GenerateRequest(max_tokens=4))
    [file] = tmp_path.rglob("*.safetensors")
    file.write_bytes(b"")
    assert [loss.session for loss in losses_of(engine)] == [fork]
    assert (fork.is_lost, fork.is_generating, fork.num_pending) == (True, False, 0)


def test_a_parked_session_has_no_row_to_ask_for() -> None:
    engine = crowded(None, num_rows=1)
    engine.open()
    with pytest.raises(EngineError, match="parked"):
        _ = engine.open().row


@pytest.mark.parametrize(("name", "value"), [("num_sessions", 5), ("park_host_bytes", -1)])
def test_wrong_setting_is_named(name: str, value: int) -> None:
    with pytest.raises(ConfigError, match=f"^{name}={value} is not valid"):
        tiny_engine(num_rows=6, **{name: value})


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"^park_dir='.*file': .*name a folder"):
        crowded(tmp_path / "file")
