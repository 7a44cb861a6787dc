"""Words wait for what follows them, in whatever entries they come; no commit catches them out."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Mapping
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from engine import is_raw
from worker.intake.entries import Entry
from worker.intake.feed import line_text
from worker.views.transcript import Pace, Transcript

WORDS = [f"{one}{other}" for one in "bdfgklmnpr" for other in ("ato", "emi", "ilu", "opa", "uri")]


class Slow:
    """A restorer that takes its time, and says what it was given. It ends a sentence after each
    word in `ends`, wherever it stands, if it sees what follows or is told that nothing does."""

    def __init__(self, num_rounds: int = 0):
        self.num_rounds = num_rounds
        self.given: list[tuple[str, str, str]] = []
        self.names: Mapping[str, str] = {}

    def wants(self, text: str, lang: str | None) -> bool:
        return is_raw(text) and lang in (None, "en")

    def begin(
        self, text: str, *, before: str, after: str, names: Mapping[str, str], ends: bool = False
    ) -> Slowly:
        self.given.append((before, text, after))
        self.names = names
        return Slowly(self.num_rounds, text, names)


class Slowly:
    def __init__(self, num_rounds: int, text: str, names: Mapping[str, str]):
        self._left = num_rounds
        self._text = " ".join(names.get(word, word) for word in text.split())

    def advance(self) -> str | None:
        self._left -= 1
        return None if self._left >= 0 else self._text

    def close(self) -> None:
        self._left = 0


def transcript(
    restorer: Slow | None, state: Mapping[str, Any] | None = None, **pace: float
) -> Transcript:
    return Transcript(
        restorer,  # type: ignore[arg-type]
        Pace(**pace),  # type: ignore[arg-type]
        state or {},
        now=0.0,
        left_out=lambda why, num: None,
    )


def all_lines(view: Transcript, now: float = 0.0) -> list[dict[str, str]]:
    lines = []
    while some := view.write(now):
        lines += some
    return lines


def running_text(lines: list[dict[str, str]]) -> str:
    return "".join(map(line_text, lines)).strip()


def test_the_last_words_wait_for_those_that_follow_and_not_for_ever() -> None:
    restorer = Slow()
    view = transcript(restorer, hold_seconds=1.0)
    view.take(Entry("1-0", "bato demi filu gopa kuri lato", speaker="Ann"), now=0.0)
    [line] = all_lines(view, now=0.5)
    assert (line["text"], line["final"]) == ("bato demi", "0")
    assert restorer.given == [("", "bato demi", "filu gopa kuri lato")]
    assert not view.write(0.9)
    assert view.waits_for_clock
    [line] = all_lines(view, now=1.0)
    assert (line["text"], line["final"], line["continues"]) == ("filu gopa kuri lato", "1", "1")
    assert restorer.given[-1] == ("bato demi", "filu gopa kuri lato", "")


def test_words_of_several_entries_are_restored_together_and_stand_apart() -> None:
    restorer = Slow()
    view = transcript(restorer, hold_seconds=0.0)
    for number, text in enumerate(("bato demi", "filu gopa", "kuri"), start=1):
        view.take(Entry(f"{number}-0", text, speaker="Ann"), now=0.0)
    lines = all_lines(view)
    assert restorer.given == [("", "bato demi filu gopa kuri", "")]
    assert [(line["text"], line["restored"]) for line in lines] == [
        ("bato demi", "1"),
        ("filu gopa", "1"),
        ("kuri", "1"),
    ]


def test_another_speaker_ends_the_waiting() -> None:
    view = transcript(Slow())
    view.take(Entry("1-0", "bato demi", speaker="Ann"), now=0.0)
    assert not view.write(0.0)
    view.take(Entry("2-0", "Filu gopa.", speaker="Bo"), now=0.0)
    assert [line["text"] for line in all_lines(view)] == ["bato demi", "Filu gopa."]


@settings(max_examples=60)
@given(st.integers(0, 2**40), st.sampled_from(["sentences", "fragments", "words", "hypotheses"]))
def test_the_same_talk_is_the_same_text_in_whatever_entries_it_comes(seed: int, shape: str) -> None:
    rng = random.Random(seed)
    talk = [
        (speaker, rng.choices(WORDS, k=rng.randint(1, 12)))
        for speaker in ("Ann", "Bo", "Ann", "Cy")
        for _ in range(rng.randint(1, 3))
    ]
    whole = transcript(Slow())
    for number, (speaker, words) in enumerate(talk):
        whole.take(Entry(f"{number}-0", " ".join(words), speaker=speaker), now=0.0)
    whole.take(Entry("99-0", "", end_of_stream=True), now=0.0)
    view, lines = transcript(Slow(rng.randint(0, 3))), list[dict[str, str]]()
    for number, entry in enumerate(shaped(talk, shape)):
        view.take(Entry(id=f"{number}-1", **entry), now=0.0)
        lines += view.write(0.0)
    view.take(Entry("999-0", "", end_of_stream=True), now=0.0)
    while not view.is_written:
        lines += view.write(0.0)
    assert running_text(lines) == running_text(all_lines(whole))
    assert all(line["restored"] for line in lines if line["text"])


def shaped(talk: list[tuple[str, list[str]]], shape: str) -> list[dict[str, Any]]:
    if shape == "hypotheses":
        return [
            {
                "text": " ".join(words[: n + 1]),
                "speaker": speaker,
                "segment": str(number),
                "final": n + 1 == len(words),
            }
            for number, (speaker, words) in enumerate(talk)
            for n in range(len(words))
        ]
    size = {"sentences": 99, "fragments": 4, "words": 1}[shape]
    return [
        {"text": " ".join(words[at : at + size]), "speaker": speaker}
        for speaker, words in talk
        for at in range(0, len(words), size)
    ]


@settings(max_examples=100)
@given(st.integers(0, 2**40))
def test_a_commit_at_any_moment_loses_no_word_and_says_none_twice(seed: int) -> None:
    """What was handed out is read when the owner is gone, however much it did since."""
    rng = random.Random(seed)
    words = iter(rng.sample([f"{a}{b}" for a in WORDS for b in WORDS], 200))
    entries = []
    for number in range(rng.randint(1, 8)):
        own = [next(words) for _ in range(rng.randint(1, 20))]
        entries += [
            {"text": " ".join(own[:n]), "final": n == len(own), "segment": str(number)}
            for n in sorted({*rng.choices(range(1, len(own) + 1), k=3), len(own)})
        ]
    said = [word for entry in entries if entry["final"] for word in str(entry["text"]).split()]
    view, committed, published, taken = transcript(Slow(2)), {}, list[str](), 0
    handed_out = view.to_json()
    while taken < len(entries) or not view.is_written:
        if taken < len(entries) and rng.random() < 0.5:
            view.take(Entry(id=f"{taken + 1}-0", **entries[taken]), now=0.0)
            taken += 1
            if taken == len(entries):
                view.finish(f"{taken}-0", now=0.0)
        published += [word for line in view.write(0.0) for word in line["text"].split()]
        handed_out = view.to_json()
        if rng.random() < 0.2:  # it goes on after the commit, and dies
            committed, at = handed_out, taken
            for later in entries[taken : taken + 2]:
                view.take(Entry(id="0-1", **later), now=0.0)
            view.write(0.0)
            view = transcript(Slow(2), json.loads(json.dumps(committed)))
            assert taken == at
            if taken == len(entries):
                view.finish(f"{taken}-0", now=0.0)
    assert published == said


def test_a_long_raw_text_is_published_piece_by_piece_and_survives_a_restart_in_the_middle() -> None:
    words = [f"{WORDS[n % 50]}{n // 50}" for n in range(2000)]
    view = transcript(Slow(1))
    view.take(Entry("1-0", " ".join(words), speaker="Ann"), now=0.0)
    view.finish("1-0", now=0.0)
    lines = list[dict[str, str]]()
    while len(lines) < 5:
        lines += view.write(0.0)
    assert max(len(line["text"].split()) for line in lines) < 100
    view = transcript(Slow(1), json.loads(json.dumps(view.to_json())))
    view.finish("1-0", now=0.0)
    while not view.is_written:
        lines += view.write(0.0)
    assert " ".join(line["text"] for line in lines).split() == words
    assert [line["final"] for line in lines] == ["0"] * (len(lines) - 1) + ["1"]


def test_a_hypothesis_of_which_nothing_is_heard_is_taken_as_it_stands() -> None:
    view = transcript(None, open_seconds=30.0)
    said = {"final": False, "segment": "7", "speaker": "Ann", "start": 1.0, "end": 2.0}
    view.take(Entry("1-0", "and then we", **said), now=0.0)  # type: ignore[arg-type]
    view.finish_old("5-0", now=99.0, silent_at=29.0)
    assert not view.is_empty
    assert not all_lines(view)
    view.finish_old("5-0", now=99.0, silent_at=30.0)
    [line] = all_lines(view)
    assert (line["text"], line["speaker"], line["final"]) == ("and then we", "Ann", "1")
    assert (line["entry"], line["hypothesis"], line["segment"]) == ("5-0", "1-0", "7")
    assert view.is_empty


def test_an_entry_with_an_id_that_is_sent_again_is_taken_once() -> None:
    counted = Counter[str]()
    view = Transcript(
        None, Pace(), {}, now=0.0, left_out=lambda why, num: counted.update({why: num})
    )
    once = {"text": "Good morning.", "extra": {"id": "a1"}}
    assert view.take(Entry("1-0", **once), now=0.0) is None  # type: ignore[arg-type]
    assert "repeated" in (view.take(Entry("2-0", **once), now=0.0) or "")  # type: ignore[arg-type]
    assert view.take(Entry("3-0", "Another.", extra={"id": "a1"}), now=0.0) is None
    assert [line["text"] for line in all_lines(view)] == ["Good morning.", "Another."]
    assert counted == {"repeated": 1}


def test_names_are_learnt_from_what_comes_written() -> None:
    restorer = Slow()
    view = transcript(restorer, hold_seconds=0.0)
    view.take(Entry("1-0", "Then Carrow told us. So we saw the gate.", speaker="Priya Shah"), 0.0)
    view.take(Entry("2-0", "so priya and carrow saw the gate at the old mill", speaker="Bo"), 0.0)
    lines = all_lines(view)
    assert lines[-1]["text"] == "so Priya and Carrow saw the gate at the old mill"
    assert "so" not in restorer.names


def test_a_few_small_words_of_one_who_writes_are_left_as_they_are() -> None:
    view = transcript(Slow(), hold_seconds=0.0)
    view.take(Entry("1-0", "So we went to the bank, and", speaker="Ann"), now=0.0)
    view.take(Entry("2-0", "then we swam", speaker="Ann"), now=0.0)
    assert "restored" not in all_lines(view)[-1]


def test_scripts_without_spaces_are_joined_without_spaces() -> None:
    view = transcript(None)
    for number, (text, final) in enumerate(
        [
            ("今日は", False),
            ("今日はいい", False),
            ("今日はいい天気です。", True),
            ("そうですね。", True),
        ],
        1,
    ):
        view.take(Entry(f"{number}-0", text, segment=str(number // 4), final=final), now=0.0)
    assert running_text(all_lines(view)) == "今日はいい天気です。そうですね。"


def test_what_is_to_come_is_shown_until_it_has_come() -> None:
    view = transcript(None)
    view.take(Entry("1-0", "and then", final=False, speaker="Ann"), now=0.0)
    assert (view.pending("1-0") or {})["pending"] == "and then"
    assert view.pending("1-0") is None, "nothing new"
    view.take(Entry("2-0", "And then we went.", speaker="Ann"), now=0.0)
    all_lines(view)
    assert (view.pending("2-0") or {})["pending"] == ""
