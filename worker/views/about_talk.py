"""Questions about the talk itself: what was decided, who does what, what is open, what was said.

Nobody needs to have said the words of such a question, so no search finds its answer. What is left
of it, besides the words that people ask with, is a subject: "what was decided about the gate?".
English, like the rules of the notes. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from worker.views.notes.telling import telling

Wanted = Literal["decision", "action", "question", "highlights"]

_UNITS = {"sec": 1.0, "min": 60.0, "hou": 3600.0, "day": 86400.0}
_NUMBERS = {
    **{"half a": 0.5, "half an": 0.5, "a": 1, "an": 1, "one": 1, "couple of": 2, "two": 2},
    **{"few": 3, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9},
    **{"ten": 10, "twelve": 12, "fifteen": 15, "twenty": 20, "thirty": 30, "forty": 40},
    **{"forty-five": 45, "fifty": 50, "sixty": 60, "ninety": 90},
}
_NUMBER = "|".join(sorted(_NUMBERS, key=len, reverse=True))
_LATELY = re.compile(
    rf"\b(?:in |during |within |over |for )?(?:the )?(?:last|past|previous) (?:(\d+|{_NUMBER}) )?"
    r"(sec|min|hou|day)\w*\b",
    re.IGNORECASE,
)
_JUST_NOW = re.compile(
    r"\b(?:just now|a moment ago|lately|recently|most recently)\b", re.IGNORECASE
)
JUST_NOW_SECONDS = 300.0

_SHAPES: tuple[tuple[Wanted, str], ...] = (  # the first that fits
    (
        "question",
        r"\b(?:unanswered|unresolved|unsettled|undecided|outstanding|unclear)\b"
        r"|\bnot (?:yet |been |yet been )?(?:answered|clear|decided|resolved|settled|known)\b"
        r"|\w+n['’]t (?:yet |been |yet been )?(?:answered|clear|decided|resolved|settled|know)\b"
        r"|\bloose ends?\b|\bto be (?:clarified|decided|discussed|answered)\b"
        r"|\bopen (?:questions?|issues?|points?|items?|matters?)\b"
        r"|\b(?:what|which|any) (?:\w+ )?questions?\b",
    ),
    (
        "action",
        r"\baction (?:items?|points?)\b|^\W*(?:any )?actions?\b|\b(?:the|what|which|any) actions?\b"
        r"|\bto-?dos?\b|\btasks?\b|\bto do\b|\bnext steps?\b|\bhomework\b|\bfollow[- ]?ups?\b"
        r"|\bwho (?:does|do|did|will do|must do|should do|is doing|is going to do|has to) what\b"
        r"|\bwhat (?:must|should|will|does|do|is) (?:\w+ ){1,2}(?:do|doing|going to do)\b"
        r"|\b(?:assign|responsib|promis|committ?(?:ed|ment)|volunteer|deliverabl)\w*"
        r"|\bdeadlines?\b|\bby when\b|\bis (?:anything )?due\b|\bwho owes\b",
    ),
    (
        "decision",
        r"\b(?:decid|decision|conclu|outcome|resolution|verdict)\w*"
        r"|\bagree(?:d|ment|ments)?\b|\bsettled?\b|\bapproved?\b|\bresolved\b|\bresults?\b",
    ),
    (
        "highlights",
        r"\bsummar\w+\b|\brecap\b|\bsum (?:it |this |that |everything )?up\b|\bgist\b|\btl;?dr\b"
        r"|\boverview\b|\b(?:main|key|important|chief) (?:points?|things?|topics?|messages?)\b"
        r"|\bhighlights?\b|\bup to (?:date|speed)\b|\bcatch me up\b|\bmiss(?:ed)?\b"
        r"|\bwhat(?:['’]s| is| was| were| has| have| did| are)?\b[\w\s'’]*\b(?:about|happen\w*"
        r"|going on|said|say|discuss\w*|talk\w*|topics?|subjects?)\b|\bhighlight\b",
    ),
)
_FITTING = tuple((wanted, re.compile(shape, re.IGNORECASE)) for wanted, shape in _SHAPES)
_OPEN = re.compile(  # of a gate, too
    r"\b(?:(?:issues?|items?|points?|things?) (?:\w+ ){0,2})?(?:open|pending|remain(?:s|ing)?)\b",
    re.IGNORECASE,
)
_SAYING = re.compile(
    r"\b(?:say|said|says|mention|mentioned|think|thinks|want|wants|talk|talked|talking|speak|spoke"
    r"|tell|told|report|reported|explain|explained|argue|argued|opinion|view|views|point|points"
    r"|contribute|contributed|suggest|suggested)\b",
    re.IGNORECASE,
)
# Words that people ask with, besides those that say what they ask for.
_ASKING = telling(
    "today yesterday far everyone everybody anyone anybody anything nothing everything list give"
    " show please team group whole full brief briefly short shortly quick quickly call session"
    " discussion talk meeting conversation hearing stream recording transcript people person"
    " speakers summary words sentences main key important everyone's already finally actually"
    " together currently end start beginning tell say said ask asked mention discuss talked"
    " talking happen happened happening going been someone somebody each who what when how there"
    " thought think want opinion view point points report explain argue speak spoke mentioned"
    " wants promise doing made make reach reached items item whom taken take come came there"
)


@dataclass(frozen=True)
class AboutTalk:
    """wanted: what it asks for. subject: the words that tell about what; empty: all. speakers:
    whose; empty: everybody's. last_seconds: of which time; None: all."""

    wanted: Wanted
    subject: str = ""
    speakers: tuple[str, ...] = ()
    last_seconds: float | None = None


def about_talk(question: str, speakers: Iterable[str]) -> AboutTalk | None:
    """None: it asks about what was said, and a search finds that. speakers: who has spoken."""
    rest, last_seconds = _without_time(question)
    named = tuple(one for one in dict.fromkeys(speakers) if one and _names(rest, one))
    wanted, rest = _wanted(rest)
    if wanted is None and _OPEN.search(rest) and not _subject(_OPEN.sub(" ", rest), named):
        return AboutTalk("question", "", named, last_seconds)
    if named and (wanted is None or wanted == "highlights") and _SAYING.search(question):
        wanted = "highlights"
    if wanted is None and last_seconds is None:
        return None
    subject = _subject(rest, named)
    if wanted is None and subject:
        return None
    if wanted == "highlights" and subject and not named:
        return None  # "what was said about the gate?": that is a search
    return AboutTalk(wanted or "highlights", subject, named, last_seconds)


def _wanted(text: str) -> tuple[Wanted | None, str]:
    for wanted, shape in _FITTING:
        if shape.search(text):
            return wanted, shape.sub(" ", text)
    return None, text


def time_asked(question: str) -> float | None:
    """Seconds before now, if the question names such a time."""
    return _without_time(question)[1]


def _without_time(question: str) -> tuple[str, float | None]:
    if found := _LATELY.search(question):
        told = (found[1] or "one").lower()
        number = float(told) if told.isdigit() else _NUMBERS[told]
        rest = question[: found.start()] + question[found.end() :]
        return rest, (number or 1) * _UNITS[found[2].lower()]
    if found := _JUST_NOW.search(question):
        return question[: found.start()] + question[found.end() :], JUST_NOW_SECONDS
    return question, None


def _names(text: str, speaker: str) -> bool:
    words = {word.lower() for word in re.findall(r"[^\W_]+", text)}
    own = {word.lower() for word in re.findall(r"[^\W_]+", speaker)}
    return any(len(word) > 2 and word in words for word in own - _TITLES) or own <= words


_TITLE_WORDS = "mr mrs ms dr prof the senator chairman speaker professor grad phd"
_TITLES = frozenset(_TITLE_WORDS.split())


def _subject(text: str, named: Iterable[str]) -> str:
    names = {word.lower() for name in named for word in re.findall(r"[^\W_]+", name)}
    words = re.findall(r"[^\W_]+(?:['’][^\W_]+)*", text)
    kept = [word for word in words if _carries(word) and word.lower().split("'")[0] not in names]
    return " ".join(kept)


def _carries(word: str) -> bool:
    bare = word.lower().replace("’", "'").removesuffix("'s")
    stems = telling(f"{bare} talk") - telling("talk")
    return bool(stems - _ASKING)
