"""Nobody waits at the desk: it takes so much and no more, and what is left there comes back."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence

import pytest

from engine.restore.desk import Desk, Ticket
from engine.restore.passage import Passage, Reading
from engine.restore.punctuator import Punctuator
from tests.engine.restore.small import small_punctuator

PATIENCE_SECONDS = 30.0


def passage(text: str) -> Passage:
    return Passage(tuple(text.split()))


def wait_until(desk: Desk, is_so: Callable[[], bool]) -> None:
    patience = threading.Event()
    for _ in range(int(PATIENCE_SECONDS / 0.01)):
        if is_so():
            return
        desk.wait(0.01)
        patience.wait(0.001)
    raise AssertionError("nothing came back")


class Gate(Punctuator):
    """Writes when it is told to, and remembers who was written together."""

    def __init__(self) -> None:
        small = small_punctuator()
        super().__init__(small._encoder, small._reader, small._habits)
        self.opened, self.entered = threading.Event(), threading.Event()
        self.together: list[int] = []

    def write(
        self, passages: Sequence[Passage], readings: Sequence[Reading]
    ) -> list[tuple[str, ...]]:
        self.entered.set()
        assert self.opened.wait(PATIENCE_SECONDS)
        self.together.append(len(passages))
        return super().write(passages, readings)


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def desk(gate: Gate) -> Iterator[Desk]:
    desk = Desk(gate, max_waiting=4)
    yield desk
    gate.opened.set()
    desk.close()


def taken(ticket: Ticket | None) -> Ticket:
    assert ticket is not None
    return ticket


def test_what_comes_back_is_what_the_punctuator_writes(gate: Gate, desk: Desk) -> None:
    gate.opened.set()
    tickets = [taken(desk.leave(passage(text))) for text in ("aa bb", "cc dd ee", "a b c d e f g")]
    wait_until(desk, lambda: all(ticket.written for ticket in tickets))
    alone = [small_punctuator().restore([ticket.passage])[0] for ticket in tickets]
    assert [ticket.written for ticket in tickets] == alone


def test_a_full_desk_takes_nothing_more_until_it_has_written(gate: Gate, desk: Desk) -> None:
    first = taken(desk.leave(passage("aa bb")))
    assert gate.entered.wait(PATIENCE_SECONDS)
    others = [taken(desk.leave(passage("cc dd"))) for _ in range(3)]
    assert desk.leave(passage("ee")) is None
    gate.opened.set()
    wait_until(desk, lambda: all(ticket.written for ticket in (first, *others)))
    assert desk.leave(passage("ee")) is not None


def test_those_of_one_length_that_wait_are_written_together(gate: Gate, desk: Desk) -> None:
    first = taken(desk.leave(passage("aa bb")))
    assert gate.entered.wait(PATIENCE_SECONDS)
    others = [taken(desk.leave(passage("cc dd"))) for _ in range(2)]
    gate.opened.set()
    wait_until(desk, lambda: all(ticket.written for ticket in (first, *others)))
    assert gate.together == [1, 2]


def test_what_nobody_wants_any_more_is_not_written(gate: Gate, desk: Desk) -> None:
    first = taken(desk.leave(passage("aa bb")))
    assert gate.entered.wait(PATIENCE_SECONDS)
    unwanted, wanted = taken(desk.leave(passage("cc dd"))), taken(desk.leave(passage("ee")))
    unwanted.is_wanted = False
    gate.opened.set()
    wait_until(desk, lambda: bool(first.written and wanted.written))
    assert unwanted.written is None


def test_words_go_on_as_they_came_when_writing_fails(
    gate: Gate, desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("no memory")

    monkeypatch.setattr(gate, "write", fail)
    ticket = taken(desk.leave(passage("aa bb")))
    wait_until(desk, lambda: ticket.written is not None)
    assert ticket.written == ("aa", "bb")
    assert "published as they came" in caplog.text


def test_a_closed_desk_takes_nothing(gate: Gate) -> None:
    desk = Desk(gate)
    gate.opened.set()
    desk.close()
    assert desk.leave(passage("aa")) is None
