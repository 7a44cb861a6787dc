"""Whatever a model would write: its notes cite, name and count only what it was shown.

The model is chance: each token is drawn from those that the grammar allows. What was said is known
to whoever wrote the talk, so that the oracle needs no rule of the grammar's.
"""

from __future__ import annotations

import json
import random
import re
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import Grammars, Tokenizer
from worker.views.notes.form import NOTHING, Choices, grammar, operations
from worker.views.notes.item import Add, Operation, Resolve, Revise
from worker.views.notes.sourced import Source

SAID = [
    "The gate at Carrow Bridge sticks, and Marit lost 3.5 metres twenty years ago.",
    "I'll bring the chain hoist on Friday, it cost €25,000 or so.",
    "so who has the key to the BBC van?",
]
SPEAKERS = ["Ann", "Bo Müller"]
# What may stand with a capital or as a number, anywhere; as somebody reads it in the talk.
NAMES = {"Carrow", "Bridge", "Marit", "Friday", "BBC", "I'll", "Ann", "Bo", "Müller", "I"}
NUMBERS = {"3.5", "twenty", "€25,000", "25,000"}
SMALL = set(re.findall(r"[a-z]+", " ".join(SAID).lower()))
DUES = ["on Friday"]
CITED = {1: ("10-0",), 2: ("11-0", "12-0"), 3: ("13-0",)}
IDS = ["4", "7"]
# Any two of these begin like names and numbers; nobody said them.
INVENTED = ["Zanzibar", "seven", "Tuesday", "7", "Carrows", "25", "Bridget"]


@cache
def tokenizer() -> Tokenizer:
    return Tokenizer.load(Path("engine/bundled"))


def choices(ids: list[str]) -> Choices:
    source = Source.of([*SAID, *SPEAKERS])
    return Choices([1, 2, 3], ids, SPEAKERS, DUES, source)


def drawn(seed: int, ids: list[str], max_tokens: int) -> tuple[str, bool]:
    """What chance writes, and whether it came to an end."""
    chance, constraint = random.Random(seed), Grammars(tokenizer()).lark(grammar(choices(ids)))
    written: list[int] = []
    while not constraint.is_complete and len(written) < max_tokens:
        allowed = list(constraint.allowed().ids)
        # Often what closes something: a sentence would else never end.
        closing = [i for i in allowed if tokenizer().decode([i])[:1] in (".", '"', "}", " ")]
        token = int(chance.choice(closing if closing and chance.random() < 0.5 else allowed))
        if token in tokenizer().eos_ids:
            return tokenizer().decode(written), True
        constraint.accept(token)
        written.append(token)
    return tokenizer().decode(written), constraint.is_complete


@settings(max_examples=25)
@given(st.integers(0, 2**32), st.booleans(), st.integers(1, 160))
def test_whatever_is_written_cites_names_and_counts_what_was_shown(
    seed: int, has_items: bool, max_tokens: int
) -> None:
    ids = IDS if has_items else []
    answer, is_whole = drawn(seed, ids, max_tokens)
    lines = answer.splitlines()
    found = operations(answer, CITED)
    if is_whole:
        assert len(found) == (0 if answer == NOTHING else len(lines)), answer
    else:
        assert len(found) >= len(lines) - 1, "at most the unfinished one is lost"
    for operation in found:
        assert operation.cites
        assert set(operation.cites) <= {entry for those in CITED.values() for entry in those}
        if isinstance(operation, Revise | Resolve):
            assert operation.id in ids
        if not isinstance(operation, Resolve):
            assert operation.who in ("", *SPEAKERS)
            assert operation.due in ("", *DUES)
            assert invented(operation.text) == []


def invented(text: str) -> list[str]:
    """Numbers and names of a text that nobody said, by the lists above; a first word may be any
    that was said, or a small common one."""
    words = [re.sub(r"['’](?:s|t|re|ve|ll|d|m)$", "", w.strip(".,;:?!")) for w in text.split()]
    wrong = []
    for place, word in enumerate(words):
        begins = place == 0 and (word.lower() in SMALL or (len(word) <= 9 and word.istitle()))
        is_number = any(c.isdigit() for c in word) and word not in NUMBERS
        is_name = word != word.lower() and not begins and word not in {*NAMES, *NUMBERS}
        counts = bool(set(word.split("-")) & {"two", "three", "seven", "hundred", "monday", "half"})
        wrong += [word] if is_number or is_name or counts else []
    return wrong


@pytest.mark.parametrize("word", INVENTED)
def test_no_word_of_a_text_can_be_a_name_or_number_that_nobody_said(word: str) -> None:
    start = '{"do":"add","kind":"fact","cites":[1],"text":"'
    for text in (f"{word} sticks at Carrow.", f"The gate at {word} sticks.", f"It is {word} wide."):
        assert not follows(f'{start}{text}"}}'), text
    for text in ("The gate at Carrow sticks.", "It lost 3.5 metres twenty years."):
        assert follows(f'{start}{text}"}}'), text


def follows(answer: str) -> bool:
    constraint = Grammars(tokenizer()).lark(grammar(choices([])))
    for token in tokenizer().encode(answer):
        if constraint.is_complete or token not in constraint.allowed().ids:
            return False
        constraint.accept(token)
    return bool(set(constraint.allowed().ids) & tokenizer().eos_ids) or constraint.is_complete


@pytest.mark.parametrize(
    ("do", "expected"),
    [
        (
            {"do": "add", "kind": "action", "cites": [2, 1], "text": "It works.", "who": "Ann"},
            Add("action", "It works.", ("11-0", "12-0", "10-0"), "Ann"),
        ),
        ({"do": "revise", "id": "4", "cites": [3], "text": "So."}, Revise("4", "So.", ("13-0",))),
        ({"do": "resolve", "id": "7", "cites": [1]}, Resolve("7", ("10-0",))),
    ],
)
def test_an_operation_is_read_as_it_was_written(do: dict[str, object], expected: Operation) -> None:
    answer = f'{NOTHING}\n{json.dumps(do)}\n{{"do":"add","kind":"fa'
    assert operations(answer, CITED) == [expected]


def test_names_and_numbers_without_a_source_are_found() -> None:
    source = Source.of(SAID)
    assert source.lacks("The gate at Carrow lost 3.5 metres. So Marit's key is there.") == []
    wrong = "Zoe says that Ashby lost seven metres. Tuesday it was 4, in twenty-five places."
    assert source.lacks(wrong) == ["Zoe", "Ashby", "seven", "Tuesday", "4", "twenty-five"]
