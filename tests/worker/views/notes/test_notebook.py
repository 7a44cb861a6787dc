"""An id means one thing for ever, whatever is asked of the notes."""

from __future__ import annotations

import itertools
import json
import random

from hypothesis import given
from hypothesis import strategies as st

from worker.views.notes.item import KINDS, Add, Drop, Operation, Resolve, Revise
from worker.views.notes.notebook import MAX_LETTERS, MAX_OPEN, Change, Notebook

SUBJECTS = ["the gate sticks at carrow", "pumps need diesel", "sheila brings sandbags friday"]
REWORDED = {
    "the gate sticks at carrow": "at carrow, the gate still sticks",
    "pumps need diesel": "all pumps need more diesel",
    "sheila brings sandbags friday": "on friday sheila brings forty sandbags",
}


def texts() -> st.SearchStrategy[str]:
    return st.sampled_from([*SUBJECTS, *REWORDED.values()])


def operations() -> st.SearchStrategy[Operation]:
    ids = st.integers(0, 12).map(str)
    cites = st.lists(st.integers(1, 9).map(lambda n: f"{n}-0"), max_size=3).map(tuple)
    return st.one_of(
        st.builds(Add, st.sampled_from(KINDS), texts(), cites),
        st.builds(Revise, ids, texts(), cites, st.sampled_from(["", "Ann"])),
        st.builds(Resolve, ids, cites),
        st.builds(Drop, ids),
    )


def subject_of(text: str) -> str:
    """What the text is about, as whoever wrote this test knows."""
    return next(s for s in SUBJECTS if text in (s, REWORDED[s]))


STEPS = st.lists(st.lists(operations(), max_size=5), max_size=8)


@given(STEPS)
def test_whatever_is_asked_an_id_stays_what_it_is_about(steps: list[list[Operation]]) -> None:
    book, history = Notebook(), dict[str, list[Change]]()
    for step in steps:
        book, changes = book.apply(step)
        for change in changes:
            history.setdefault(change.item.id, []).append(change)
    for changes in history.values():
        items = [change.item for change in changes]
        assert len({subject_of(item.text) for item in items}) == 1
        assert len({item.kind for item in items}) == 1
        assert [item.rev for item in items] == list(range(1, len(items) + 1))
        assert [c.how for c in changes].count("add") == 1
        before_last = {change.how for change in changes[:-1]}
        assert not before_last & {"resolve", "drop"}, "what is over changes no more"
        for one, other in itertools.pairwise(items):
            assert other.cites[: len(one.cites)] == one.cites, "where it comes from stays"
        assert all(item.cites for item in items)


@given(STEPS, st.integers(0, 2**32))
def test_a_restart_anywhere_changes_no_item(steps: list[list[Operation]], seed: int) -> None:
    chance, alone, restarted = random.Random(seed), Notebook(), Notebook()
    for step in steps:
        alone, expected = alone.apply(step)
        restarted, changes = restarted.apply(step)
        assert changes == expected
        if chance.random() < 0.5:
            restarted = Notebook.from_json(json.loads(json.dumps(restarted.to_json())))
    assert restarted == alone


def test_what_is_kept_is_bounded_and_ids_go_on() -> None:
    book = Notebook()
    for number in range(MAX_OPEN + 9):
        book, _ = book.apply([Add("fact", f"number {number} {'x' * 2000}", ("1-0",))])
    assert len(book.items) == MAX_OPEN
    assert len(json.dumps(book.to_json())) < MAX_OPEN * 2 * MAX_LETTERS
    [first, *_] = book.items
    assert first.id == "10"
    assert book.apply([Resolve("9", ("2-0",))])[1] == [], "it was let go: it stays as it is"
    anew, [change] = book.anew().apply([Add("fact", "the next life", ("1-0",))])
    assert [change.item.id, len(anew.items)] == [str(MAX_OPEN + 10), 1]


def test_what_cites_nothing_is_no_note() -> None:
    book, changes = Notebook().apply([Add("fact", "the gate sticks", ())])
    assert (book, changes) == (Notebook(), [])
