"""A question about the talk itself is known as such in any wording, and no other question is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.views.about_talk import AboutTalk, about_talk

SPEAKERS = ["Marit Hale", "Tomas", "Priya", "Mr. Ellison", ""]

ASKED = {
    "decision": [
        *("What was decided?", "What did we decide?", "Which decisions were made so far?"),
        *("Any decisions yet?", "what have they agreed on", "What's the outcome of the meeting?"),
        *("Did we reach a conclusion?", "Has anything been decided?", "List all decisions."),
    ],
    "action": [
        *("Who has to do what?", "Who does what?", "What are the action items?", "List the todos"),
        *("What are the next steps?", "Who promised what?", "Any to-dos for the team?"),
        *("Which tasks were assigned, and to whom?", "What is there to do?", "actions please"),
    ],
    "question": [
        *("What is still open?", "What's open?", "Any open questions?", "What remains open?"),
        *("What hasn't been decided yet?", "Which questions are unanswered?", "What is unclear?"),
        *("What is not yet settled?", "Which issues are still pending?"),
    ],
    "highlights": [
        *("What was it about?", "What is this all about?", "Summarise", "Give me a recap", "tl;dr"),
        *("Please summarize the meeting so far.", "What did I miss?", "What's going on?"),
        *("What are they talking about?", "What were the main points?", "What happened?"),
    ],
}


@pytest.mark.parametrize(
    ("wanted", "question"), [(w, q) for w, them in ASKED.items() for q in them]
)
def test_what_is_asked_of_the_whole_talk_is_known_in_any_wording(
    wanted: str, question: str
) -> None:
    assert about_talk(question, SPEAKERS) == AboutTalk(wanted)


@pytest.mark.parametrize(
    "question",
    [
        *("Who brings the sandbags?", "How many litres of diesel do we need?", "Who?"),
        *("When does the gate open?", "Is the gate open?", "What is the capital of Mongolia?"),
        *("What was said about the pumps?", "What happened to the pump?", "How high is it?"),
        *("When is the tractor due?", "Who has the key to the barrier?", "Where is Tomas?"),
    ],
)
def test_what_a_search_finds_is_left_to_the_search(question: str) -> None:
    assert about_talk(question, SPEAKERS) is None


@pytest.mark.parametrize(
    ("question", "about"),
    [
        ("What was decided about the gate?", AboutTalk("decision", "gate")),
        ("What did Priya say?", AboutTalk("highlights", "", ("Priya",))),
        ("What does Mr. Ellison think?", AboutTalk("highlights", "", ("Mr. Ellison",))),
        (
            "What did Marit say about the school?",
            AboutTalk("highlights", "school", ("Marit Hale",)),
        ),
        ("What does Tomas have to do?", AboutTalk("action", "", ("Tomas",))),
        ("What happened in the last ten minutes?", AboutTalk("highlights", last_seconds=600)),
        ("What was decided in the last half an hour?", AboutTalk("decision", last_seconds=1800)),
        ("What was said in the past hour?", AboutTalk("highlights", last_seconds=3600)),
        ("And during the last 2 days?", AboutTalk("highlights", last_seconds=172_800)),
    ],
)
def test_subject_speaker_and_time_are_taken_from_the_question(
    question: str, about: AboutTalk
) -> None:
    assert about_talk(question, SPEAKERS) == about


@given(st.text(max_size=80), st.lists(st.text(max_size=12), max_size=3))
def test_any_text_is_a_question(question: str, speakers: list[str]) -> None:
    about = about_talk(question, speakers)
    assert about is None or set(about.speakers) <= set(speakers)
