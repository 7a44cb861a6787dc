"""Whatever a recogniser sends: no word of it is lost, none is said twice, what is settled stays."""

from __future__ import annotations

import itertools
import json
import os
import random
from collections import defaultdict
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.worker.views.settling.recogniser import (
    Recogniser,
    Talk,
    entries,
    misheard,
    read_back,
    talk,
    unique_words,
)
from worker.intake.entries import Entry
from worker.views.settling.part import Part
from worker.views.settling.segments import MAX_OPEN, Segments
from worker.views.settling.words import words_of, written

SEEDS = st.integers(0, 2**40)
NUM_CASES = int(os.environ.get("WEIR_TEST_CASES", "300"))  # `make cases` tries 10,000 others
IS_USUAL = NUM_CASES == 300


def heard(entries: list[Entry], *, by_agreement: bool = True) -> list[Part]:
    """All parts; after each entry the state goes through a checkpoint."""
    segments, parts = Segments(), list[Part]()
    for entry in entries:
        taken = segments.take(entry, by_agreement=by_agreement)
        segments = Segments.from_json(json.loads(json.dumps(taken.segments.to_json())))
        parts += taken.parts
    return parts


def text_of(parts: list[Part]) -> str:
    return " ".join(written(part.words) for part in parts if part.words)


def utterance(rng: random.Random, said: Talk) -> tuple[list[tuple[str, bool]], Recogniser]:
    """Hypotheses that grow and change, some of them sent twice, and the final."""
    recogniser = Recogniser(said, rng, rate=rng.choice((0.0, 0.05, 0.15, 0.3)))
    texts, num, most = [], 0, len(said.spoken)
    for _ in range(rng.randint(0, 2 * most)):
        num = min(most, max(1, num + rng.choice((0, 1, 1, 1, 2, 3, -1))))
        text = recogniser.hypothesis(num, cut=rng.random() < 0.2)
        texts += [(text, False)] * rng.choice((1, 1, 1, 2))
    texts.append((recogniser.hypothesis(most, clean=True), True))
    return texts, recogniser


def check(published: str, said: Talk, recogniser: Recogniser) -> None:
    numbers = read_back(published, said)
    if recogniser.has_doubled:  # it had a word twice, and that may have been settled
        numbers = [number for number, _ in itertools.groupby(numbers)]
    assert numbers == list(range(said.num_words)), published


@settings(max_examples=NUM_CASES, derandomize=IS_USUAL)
@given(SEEDS)
def test_each_word_comes_out_once_however_its_recogniser_rewrites_it(seed: int) -> None:
    rng = random.Random(seed)
    said = talk(rng, unique_words(rng))
    texts, recogniser = utterance(rng, said)
    parts = heard(entries(texts, segment=rng.choice(("7", None))))
    check(text_of(parts), said, recogniser)


@settings(max_examples=NUM_CASES // 3, derandomize=IS_USUAL)
@given(SEEDS)
def test_utterances_after_one_another_keep_apart_whatever_their_names(seed: int) -> None:
    """A name of its own for each, the same for all, or none; finals come twice, and hypotheses
    after their finals. Times tell utterances under one name apart."""
    rng = random.Random(seed)
    words, all_entries, talks = unique_words(rng), list[Entry](), list[tuple[Talk, Recogniser]]()
    naming = rng.choice(("own", "same", "none"))
    for number in range(rng.randint(2, 5)):
        said = talk(rng, words)
        texts, recogniser = utterance(rng, said)
        if naming != "none":
            texts += rng.choices(texts, k=rng.randint(0, 1)) + rng.choice(([], texts[-1:]))
        name = {"own": str(number), "same": "7", "none": None}[naming]
        at = 10.0 * number
        all_entries += [
            Entry(id="", text=text, final=final, segment=name, start=at, end=at + 9)
            for text, final in texts
        ]
        talks.append((said, recogniser))
    numbered = [replace(entry, id=f"{i}-0") for i, entry in enumerate(all_entries, 1)]
    by_start = defaultdict[float | None, list[Part]](list)
    parts = heard(numbered)
    for part in parts:
        by_start[part.origin.start and part.origin.start // 10].append(part)
    for number, (said, recogniser) in enumerate(talks):
        check(text_of(by_start[number or 0.0]), said, recogniser)


ROWS = [
    # settled by two hypotheses that agree; the final; what is added
    ("twenty five thousand euros", "€25,000 for you", "for you"),
    ("the code is one two three", "The code is 123 and four", "and four"),
    ("we will go", "We'll go home.", "home."),
    ("they are here", "They're here now.", "now."),
    ("um so uh we", "So we go.", "go."),
    ("I I I think", "I think so.", "so."),
    ("we go to we go to", "We go to town.", "town."),
    ("we go", "So we go home.", "home."),
    ("the ice cream", "The icecream melts.", "melts."),
    ("the icecream", "The ice cream melts.", "melts."),
    ("a well known", "A well-known man.", "man."),
    ("the whether is nice", "The weather is nice today.", "today."),
    ("I scream", "Ice cream is good.", "is good."),
    ("twenty five", "25,000 euros.", "thousand euros."),
    ("it costs 25,000", "It costs twenty five thousand euros.", "euros."),
    ("seven thirty", "7:30 sharp.", "sharp."),
    ("in nineteen eighty four", "In 1984 he left.", "he left."),
    ("fifty percent of", "50% of them.", "them."),
    ("vingt cinq mille", "25.000 euros", "euros"),
    ("good morning all", "Good morning, all!", ""),
    ("good morning all", "Good morning", ""),
    ("今日はいい", "今日は良い天気です。", "天気です。"),
    ("สวัสดี", "สวัสดีครับ", "ครับ"),
]


@pytest.mark.parametrize(("settled", "final", "added"), ROWS)
def test_a_final_adds_what_follows_the_place_of_what_is_settled(
    settled: str, final: str, added: str
) -> None:
    first, *rest = heard(entries([(settled, False), (settled, False), (final, True)], segment="7"))
    assert written(first.words) == settled
    [last] = rest
    assert (written(last.words), last.is_last) == (added, True)


@given(SEEDS)
def test_only_finals_settle_words_if_that_is_wished(seed: int) -> None:
    rng = random.Random(seed)
    said = talk(rng, unique_words(rng))
    texts, _ = utterance(rng, said)
    [part] = heard(entries(texts, segment="7"), by_agreement=False)
    assert written(part.words) == texts[-1][0]
    assert part.is_last


def test_a_text_without_words_closes_and_takes_nothing_back() -> None:
    texts = [("good morning", False), ("good morning all", False), ("", False), ("", True)]
    first, last = heard(entries(texts, segment="7"))
    assert (written(first.words), first.is_last) == ("good morning", False)
    assert (written(last.words), last.is_last) == ("all", True)


def test_a_final_that_adds_nothing_closes_its_segment_with_its_own_fields() -> None:
    texts = [("good morning", False), ("good morning", False), ("Good morning.", True)]
    said = entries(texts, segment="7")
    said[-1] = replace(said[-1], start=1.0, end=2.5, extra={"confidence": "0.9"})
    _, last = heard(said)
    assert (last.words, last.is_last, last.origin.end) == ((), True, 2.5)
    assert dict(last.origin.others) == {"confidence": "0.9"}


def test_the_same_final_is_said_once_and_counted() -> None:
    segments, counted = Segments(), list[tuple[str, int]]()
    for entry in entries([("Yes, we will.", True)] * 3, segment="7"):
        taken = segments.take(entry, by_agreement=True)
        segments, counted = taken.segments, counted + list(taken.left_out)
    assert counted == [("duplicate", 1), ("duplicate", 1)]


def test_two_people_may_say_the_same_where_nothing_has_a_name() -> None:
    assert len(heard(entries([("Yes.", True)] * 3, segment=None))) == 3
    assert len(heard(entries([("Yes.", True)] * 3, segment=None, start=1.0))) == 1  # type: ignore[arg-type]


def test_another_text_under_a_closed_name_is_another_part() -> None:
    texts = [
        ("Perhaps we should go.", True),
        ("and now", False),
        ("and now the news", False),
        ("And now, the news.", True),
    ]
    parts = heard(entries(texts, segment="0"))
    assert text_of(parts) == "Perhaps we should go. and now the news."
    assert [part.number for part in parts] == [0, 0, 1]


def test_a_closed_text_that_is_corrected_adds_only_what_it_has_more() -> None:
    texts = [
        ("The task is to finish up the tower.", True),
        ("The task is to finish up the task of", False),
        ("The task is to finish up the task of finishing ourselves.", True),
    ]
    assert text_of(heard(entries(texts, segment="0"))).endswith("tower. of finishing ourselves.")


def test_a_slip_of_the_recogniser_s_is_passed_over() -> None:
    texts = [
        ("we go to the bank", False),
        ("we go to the bank and", False),
        ("thanks for watching everybody", False),
        ("we go to the bank and swim", True),
    ]
    assert text_of(heard(entries(texts, segment="0"))) == "we go to the bank and swim"


def test_what_was_pending_is_not_lost_when_another_speech_begins_without_a_final() -> None:
    texts = [
        ("we go to the bank", False),
        ("we go to the bank and swim", False),
        ("ladies and gentlemen good evening", False),
        ("ladies and gentlemen good evening all", False),
        ("Ladies and gentlemen, good evening all.", True),
    ]
    published = text_of(heard(entries(texts, segment=None)))
    assert published == "we go to the bank and swim ladies and gentlemen good evening all."


def test_who_speaks_may_be_known_at_the_end_only() -> None:
    texts = [("good morning", False), ("good morning all", False)]
    said = entries(texts, segment=None)
    said.append(Entry(id="3-0", text="Good morning, all.", speaker="Ann"))
    said.append(Entry(id="4-0", text="Hello, Ann.", speaker="Bo"))
    assert text_of(heard(said)) == "good morning all. Hello, Ann."


def test_speakers_who_talk_at_the_same_time_keep_their_words() -> None:
    said = [
        Entry(id="1-0", text="we go", speaker="Ann", final=False),
        Entry(id="2-0", text="you stay", speaker="Bo", final=False),
        Entry(id="3-0", text="we go home", speaker="Ann", final=False),
        Entry(id="4-0", text="You stay here.", speaker="Bo"),
        Entry(id="5-0", text="We go home now.", speaker="Ann"),
    ]
    told = [(part.origin.speaker, written(part.words)) for part in heard(said)]
    assert told == [("Ann", "we go"), ("Bo", "You stay here."), ("Ann", "home now.")]


def test_open_segments_above_the_number_that_is_kept_end_with_their_own_fields() -> None:
    said = [
        Entry(id=f"{n}-0", text=f"word{n}", segment=str(n), final=False, speaker=f"S{n}", lang="en")
        for n in range(1, MAX_OPEN + 3)
    ]
    parts = heard(said)
    assert [(p.origin.speaker, written(p.words), p.is_last) for p in parts] == [
        ("S1", "word1", True),
        ("S2", "word2", True),
    ]
    assert (parts[0].origin.entry, parts[0].hypothesis) == (f"{MAX_OPEN + 1}-0", "1-0")


def test_parts_have_times_that_follow_each_other() -> None:
    texts = ["one two", "one two three four", "one two three four five six"]
    said = [
        Entry(id=f"{n}-0", text=text, segment="7", final=n == 3, start=10.0, end=10.0 + n)
        for n, text in enumerate(texts, 1)
    ]
    parts = heard(said)
    assert [part.how_timed for part in parts] == ["interpolated"] * 2
    (one_start, one_end), (two_start, two_end) = ((p.origin.start, p.origin.end) for p in parts)
    assert one_start == 10.0
    assert one_end is not None
    assert two_start is not None
    assert 10.0 < one_end <= two_start < 13.0
    assert two_end == 13.0


def test_times_of_words_are_carried_through_with_their_words() -> None:
    spoken = [
        {"word": word, "start": n, "end": n + 0.5, "confidence": 0.9}
        for n, word in enumerate(["one", "two", "three", "four"])
    ]
    said = [
        Entry(id="1-0", text="one two", segment="7", final=False),
        Entry(
            id="2-0",
            text="one two three",
            segment="7",
            final=False,
            extra={"words": json.dumps(spoken[:3])},
        ),
        Entry(
            id="3-0", text="one two three four", segment="7", extra={"words": json.dumps(spoken)}
        ),
    ]
    parts = heard(said)
    assert [json.loads(part.origin.words) for part in parts] == [spoken[:2], spoken[2:]]
    assert [(p.origin.start, p.origin.end) for p in parts] == [(0.0, 1.5), (2.0, 3.5)]
    assert [part.how_timed for part in parts] == ["", ""]


TEXTS = st.text(st.sampled_from("ab €5.。今天ก็ม ြ'-"), max_size=24)


@given(TEXTS)
def test_a_text_is_its_words_joined(text: str) -> None:
    assert written(words_of(text)) == " ".join(text.split())


@settings(max_examples=300)
@given(st.lists(st.tuples(TEXTS, st.booleans(), st.sampled_from("xy")), max_size=12))
def test_nothing_that_can_be_sent_is_too_much(sent: list[tuple[str, bool, str]]) -> None:
    """Neither for the rules nor for the checkpoint, which is taken after each entry."""
    heard([Entry(id=f"{i}-0", text=t, final=f, segment=s) for i, (t, f, s) in enumerate(sent, 1)])


def test_a_very_long_hypothesis_is_aligned_in_no_time_that_grows_with_its_square() -> None:
    rng = random.Random(1)
    words = list(itertools.islice(unique_words(rng), 600))
    changed = [misheard(word) if rng.random() < 0.2 else word for word in words]
    texts = [(" ".join(words[:500]), False)] * 2 + [(" ".join(changed), True)]
    _, last = heard(entries(texts, segment="7"))
    assert written(last.words).split() == changed[500:]
