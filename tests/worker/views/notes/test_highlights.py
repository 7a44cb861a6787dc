"""What is noted was said, in those words, by whom it says, in the entries that it cites."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.intake.feed import Line, line_text
from worker.views.notes.cues import due_in, kind_of
from worker.views.notes.highlights import MAX_FACTS, Highlights
from worker.views.notes.item import Add, Resolve
from worker.views.notes.notebook import Change, Notebook
from worker.views.sentences import Sentence

Said = list[tuple[str, str]]

WORDS = ["gate", "carrow", "pump", "friday", "we'll", "keep", "who", "send", "I'll", "the"]
TURNS = st.lists(
    st.tuples(
        st.sampled_from(["Ann", "Bo"]),
        st.lists(st.sampled_from(WORDS), min_size=1, max_size=12).map(" ".join),
        st.sampled_from([".", "?", ""]),
    ).map(lambda turn: (turn[0], turn[1] + turn[2])),
    max_size=12,
)


def by_length(sentences: Sequence[str]) -> list[float]:
    return [len(sentence.split()) / 100 for sentence in sentences]


def lines_of(said: Said, first: int = 1) -> list[Line]:
    spoken, lines = "", []
    for number, (speaker, text) in enumerate(said, start=first):
        fields = {"text": text, "speaker": speaker}
        fields |= {"joined": "space"} if speaker == spoken else {}
        lines.append(Line(f"{number}-0", [0], line_text(fields), speaker))
        spoken = speaker
    return lines


def noted(*steps: Said) -> tuple[Notebook, list[Change]]:
    book, changes, number = Notebook(), list[Change](), 1
    for said in steps:
        lines = lines_of(said, number)
        operations = Highlights(by_length).operations(book, lines, is_paused=True)
        book, more = book.apply(operations)
        book = replace(book, reached=lines[-1].entry) if lines else book
        changes += more
        number += len(said)
    return book, changes


@given(st.lists(TURNS, max_size=3))
def test_an_item_is_word_for_word_what_its_entries_say(steps: list[Said]) -> None:
    said = {f"{n}-0": turn for n, turn in enumerate((t for s in steps for t in s), start=1)}
    _, changes = noted(*steps)
    for item in (change.item for change in changes):
        cited = [said[entry] for entry in item.cites]
        [first, *_] = cited
        assert first[0] == item.who
        own = [text for speaker, text in cited if speaker == item.who]
        assert item.text in " ".join(own)
        assert item.due in item.text


def test_a_question_is_open_until_somebody_answers_it() -> None:
    asked = [
        ("Ann", "Who has the key to the barrier at the underpass?"),
        ("Bo", "I don't know, we have to ask the council about it."),
    ]
    book, [change] = noted(asked)
    assert (change.how, change.item.kind, change.item.who) == ("add", "question", "Ann")
    small_talk = [("Ann", "Fine weather for once today."), ("Bo", "It rained all morning here.")]
    assert book.items[0] in noted(asked, small_talk)[0].items
    answered = [("Cy", "The key for the barrier is in the drawer of the lock house.")]
    _, changes = noted(asked, small_talk, answered)
    [resolved] = [change for change in changes if change.how == "resolve"]
    assert resolved.item.id == change.item.id
    assert resolved.item.text == change.item.text
    assert resolved.item.cites == ("1-0", "5-0")


def test_a_question_that_is_answered_at_once_is_no_note() -> None:
    said = [
        ("Ann", "How high does the water come at Carrow Bridge?"),
        ("Bo", "Three metres thirty five on Saturday morning, most likely."),
    ]
    assert [change.item.kind for change in noted(said)[1]] == ["fact"]


def test_of_much_that_is_said_little_is_noted_and_nothing_twice() -> None:
    said = [("Ann", f"The gate at place {n} opens before the river comes.") for n in range(60)]
    _, changes = noted(said, said)
    assert len(changes) <= 10
    texts = [change.item.text for change in changes]
    assert len(texts) == len(set(texts))


def test_facts_give_way_to_newer_ones_and_never_a_decision_or_a_question() -> None:
    kept = [
        ("Ann", "We've decided to leave the gate at Carrow Bridge open."),
        ("Bo", "I'll send the keys of the lock house to the council."),
        ("Ann", "Who has the key to the barrier at the underpass?"),
        ("Bo", "I don't know, we have to ask the council about it."),
    ]
    number = "zero one two three four five six seven eight nine".split()  # noqa: SIM905
    facts = [
        [("Cy", f"The {a}bridge floods the {b}school before {a}{b} reaches our {b}{a}cellar.")]
        for a, b in itertools.product(number[:5], number[5:])
    ]
    deeds = [
        [("Bo", f"I'll send {a}{b}keys to {b}{a}council until {b}noon.")]
        for a, b in itertools.product(number[:4], number[5:])
    ]
    book, changes = noted(*deeds, kept, *facts)
    as_told = {change.item.id: change.item for change in changes}.values()
    open_facts = [item for item in as_told if (item.kind, item.status) == ("fact", "open")]
    assert len(open_facts) <= MAX_FACTS < len(facts)
    assert {item.kind for item in book.items} == {"fact", "decision", "action", "question"}
    dropped = [change.item for change in changes if change.how == "drop"]
    assert dropped
    assert {(item.kind, item.status) for item in dropped} == {("fact", "dropped")}
    assert facts[-1][0][1] in [item.text for item in open_facts], "what is new has its chance"


def test_what_only_somebody_who_was_there_understands_is_no_fact() -> None:
    said = [("Ann", "So that's the kind of thing that they would do with it and stuff.")]
    assert noted(said)[1] == []


def test_a_sentence_that_goes_on_is_left_to_the_next_step() -> None:
    said = [("Ann", "We keep the gate at Carrow Bridge open until"), ("Ann", "the water falls.")]
    maker = Highlights(by_length)
    assert maker.operations(Notebook(), lines_of(said[:1]), is_paused=False) == []
    [add] = maker.operations(Notebook(), lines_of(said), is_paused=False)
    assert isinstance(add, Add)
    assert (add.text, add.cites) == (f"{said[0][1]} {said[1][1]}", ("1-0", "2-0"))
    assert (add.kind, add.due) == ("fact", "")


@pytest.mark.parametrize(
    ("kind", "due", "text"),
    [
        ("action", "on Friday", "I'll ask her for eight tonnes, delivered on Friday at nine."),
        ("action", "by the end of the week", "Could you send it by the end of the week?"[:-1]),
        ("action", "", "Bo will check the pumps at the mill."),
        ("action", "tomorrow morning", "He'll bring it to the weir tomorrow morning."),
        ("decision", "", "So we've decided to leave the gate open."),
        ("decision", "", "Let's keep the second pump at the mill."),
        ("decision", "", "Agreed: home when it is below three metres."),
        ("question", "", "Who has the key?"),
        ("fact", "", "The underpass floods at three metres."),
        ("fact", "tomorrow", "Maybe it rains tomorrow."),
        ("fact", "", "Let's go back to what you asked."),
        ("fact", "", "We will go next to the gentleman from Texas, Mr. Green."),
        ("fact", "", "But Mr. Johnson, let's start with you."),
        ("fact", "", "I will talk really fast."),
        ("fact", "", "We'll take a short break if nobody minds."),
        ("fact", "", "They want to know whether we've decided on it."),
        ("fact", "", 'He said: "I will call her."'),
        ("fact", "", "Nobody asked whether people agree with that."),
    ],
)
def test_kinds_and_days(kind: str, due: str, text: str) -> None:
    assert kind_of(Sentence(text, "Ann", ("1-0",))) == kind
    assert due_in(text) == due


def test_resolving_cites_the_answer() -> None:
    book, _ = noted([("Ann", "Who brings the sandbags to the mill on Friday?")])
    lines = lines_of([("Bo", "Sheila brings them.")], first=2)
    [done] = Highlights(by_length).operations(book, lines, is_paused=True)[:1]
    assert done == Resolve("1", ("2-0",))
