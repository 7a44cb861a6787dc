"""What says something by itself stands; what only somebody who was there understands does not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.sentences.standing import standing

# Beside what was said in the same breath: which of the two a reader wants to have.
PAIRS = [
    ("The gates open at two metres eighty.", "And that's when they open."),
    ("The council pays for the pumps at the mill.", "The council the the council pays - pays for"),
    ("The budget is twelve euros fifty a piece.", "So it's kind of a bunch of stuff, you know."),
    ("The minister promised forty new schools.", "Thank you, I yield back to the gentleman."),
    ("We moved the meeting to the school hall.", "and the school hall of the village,"),
    ("Half of the sandbags lie in the lock house.", "Half past seven, the jack and the van."),
    ("The committee wants a study of the bridge.", "I think the committee should look at that."),
]


@pytest.mark.parametrize(("alone", "thin"), PAIRS)
def test_what_says_something_by_itself_stands_above_what_does_not(alone: str, thin: str) -> None:
    assert standing(alone) > 0.9
    assert standing(thin) <= standing(alone) - 0.15


@pytest.mark.parametrize(
    "text",
    [
        "Der Pegel steigt bis morgen um zwei Meter.",
        "Le barrage est ouvert depuis ce matin.",
        "水位は三時に三メートルになります。",
        "the gates open at two metres eighty when the river comes up",
    ],
)
def test_other_languages_and_what_has_no_marks_are_not_taken_for_thin(text: str) -> None:
    assert standing(text) == 1.0


@given(st.text(max_size=200))
def test_it_is_a_share_for_any_text(text: str) -> None:
    assert 0.0 <= standing(text) <= 1.0
