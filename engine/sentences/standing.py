"""Whether a sentence says by itself what it says: people read notes without what was said around.

Words that carry a subject can be thin all the same: a false start, half a sentence, "and that's the
thing", what a chair says to everybody. The rules know English; of what is written in another
language they see only how it begins, ends and repeats itself. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_ENGLISH = frozenset(["the", "and", "of", "to", "with", "for", "that", "this", "is", "it"])
_OPENINGS = r"and|but|so|or|because|'?cause|cuz|then|also|well|now|okay|ok|yeah|yes|yep|no|oh|right"
_OPENING = re.compile(rf"^\W*(?:(?:{_OPENINGS}|anyway|i mean|you know)\b[\s,.]*)+", re.IGNORECASE)
_POINTING = re.compile(
    r"^\W*(?:it|that|this|they|he|she|those|these|there|here|him|her|them|one|(?:which|who|what)(?![^?]*\?)"
    r"|the (?:thing|other|same|first|second|next|last|only) (?:one|thing)?)(?:['’]\w+)?\b",
    re.IGNORECASE,
)
_FILLER = re.compile(
    r"\b(?:u[hm]+|e[hr]m*|mm+|hm+|you know|i mean|sort of|kind of|i guess|like,)(?!\w)",
    re.IGNORECASE,
)
_VAGUE = re.compile(
    r"\b(?:things?|stuff|something|somehow|anything|whatever|bunch|and so (?:on|forth)|or so"
    r"|that kind|this kind|all (?:that|this|of (?:that|this|it)))\b",
    re.IGNORECASE,
)
_CEREMONY = re.compile(
    r"\b(?:thank(?:s| you)|good (?:morning|afternoon|evening)|welcome\b|i yield|yield back"
    r"|the floor|unanimous consent|without objection|(?:is|are|am) (?:now )?recognized"
    r"|for (?:his|her|their|your) (?:opening|testimony|statement)|(?:opening|full) statements?"
    r"|(?:more|any|other|next|further) (?:questions?|comments?|item)|your question|move on"
    r"|come to order|let me (?:just )?(?:ask|say|start|begin|turn)"
    r"|i(?: would|['’]d) like to (?:thank|ask|welcome|begin|start|say|turn)"
    r"|pleased? to (?:be|have|welcome|see)|(?:can|could) (?:you|everybody) (?:hear|see)"
    r"|my (?:time|colleague)|share (?:my|your) screen|on mute|(?:for|into?) the record"
    r"|gentle(?:man|woman|lady)|(?:\d+|five|ten) minutes? (?:each|to)"
    r"|(?:quick|brief|short|last|one) (?:answers?|question|comment|point)"
    r"|(?:go|come|get) back to)\b",
    re.IGNORECASE,
)
_LEFT_OPEN = re.compile(  # at the end: what "that" is was said before
    r"\b(?:to|of|with|for|about|in|on|at|by|from|like|do|did|does|is|was|have|see|said|say|know)"
    r" (?:that|this|it|them|there|these|those)\W*$",
    re.IGNORECASE,
)
_VERB = re.compile(
    r"(?:['’](?:s|re|m|ve|ll|d)\b|n['’]t\b|\b(?:am|is|are|was|were|be|been|has|have|had|do|does|did"
    r"|can|cannot|could|will|would|shall|should|must|may|might|let|lets|needs?|wants?|thinks?"
    r"|thought|knows?|knew|says?|said|gets?|got|goes|go|going|went|gone|comes?|came|makes?|made"
    r"|takes?|took|gives?|gave|puts?|sees?|saw|looks?|finds?|found|keeps?|kept|sends?|sent|means?"
    r"|meant|works?|runs?|ran|starts?|stops?|helps?|shows?|tells?|told|asks?|brings?|brought"
    r"|buys?|bought|pays?|paid|costs?|cuts?|sets?|sits?|sat|stands?|stood|stays?|holds?|held|leaves?"
    r"|left|loses?|lost|feels?|felt|hears?|heard|reads?|writes?|wrote|wakes?|turns?|moves?|opens?"
    r"|closes?|talks?|speaks?|spoke|tries|try|uses?|wins?|won|grows?|grew|rises?|rose|falls?|fell"
    r"|builds?|built|knocks?|prints?|changes?|check|call|calls|adds?|believes?|agrees?|supports?"
    r"|includes?|requires?|remains?|seems?|becomes?|became|provides?|continues?|depends?|expects?"
    r"|lies?|hangs?|drives?|drops?|begins?|began|ends?|happens?|lives?|serves?|plays?|sounds?"
    r"|breaks?|broke|follows?|likes?|loves?|hates?|hopes?|matters?|suggests?|recommends?|proposes?"
    r"|covers?|allows?|creates?|leads?|led|spends?|spent|sells?|sold|learns?|eats?|sleeps?|waits?"
    r"|meets?|met|sticks?|forgets?|remembers?|understands?|decides?|owes?|floods?|reaches|carries"
    r"|\w{2,}ed)\b)",
    re.IGNORECASE,
)
_MARK = re.compile(r"[.?!…,;:\"“”。！？]")
_ENDED = re.compile(r"[.?!…。！？][\"'”’)\]」』]*$")
_NUMBER_OR_NAME = re.compile(r"\d|(?<=[a-z,;] )[A-Z][a-z]+")

# What each finding takes of a sentence's standing, at most MOST of it.
MOST = 1.0
_HALF, _HEADLESS, _VERBLESS, _CEREMONIAL = 0.4, 0.45, 0.5, 0.6
_JOINED, _POINTED, _POINTED_LONG, _OPEN = 0.1, 0.35, 0.2, 0.2
_PER_STUMBLE, _PER_FILLER, _PER_VAGUE = 0.25, 0.1, 0.12
_LONG = 14  # words after "it" or "they" that may well say who or what it is
_NAMED = 0.1  # for a number or a name


def standing(sentence: str) -> float:
    """0: it tells a reader nothing by itself. 1: it stands alone."""
    lost: float = sum(find(sentence) for find in _FINDINGS)
    named = _NAMED if _NUMBER_OR_NAME.search(sentence) else 0.0
    return 1.0 - max(0.0, min(MOST, lost - named))


def _half(sentence: str) -> float:
    """Cut at its end or at its head; in what has neither capitals nor marks nobody can tell."""
    if sentence == sentence.lower() and not _MARK.search(sentence):
        return 0.0
    is_headless = sentence[:1].islower()
    return _HALF * (not _ENDED.search(sentence)) + _HEADLESS * is_headless


def _verbless(sentence: str) -> float:
    words = {word.lower() for word in _WORD.findall(sentence)}
    return _VERBLESS * (bool(words & _ENGLISH) and not _VERB.search(sentence))


def _pointing(sentence: str) -> float:
    """To what was said before: by its subject, or by the word that it joins on with."""
    opening = _OPENING.match(sentence)
    rest = sentence[opening.end() :] if opening else sentence
    joined = (_JOINED if opening else 0.0) + (_OPEN if _LEFT_OPEN.search(rest) else 0.0)
    if not _POINTING.match(rest):
        return joined
    return joined + (_POINTED if len(rest.split()) < _LONG else _POINTED_LONG)


def _stumbling(sentence: str) -> float:
    """Words said twice in a row or nearly so, and words that were begun: "i it's", "the - the"."""
    words = [word.lower() for word in _WORD.findall(sentence)]
    num_twice = sum(one == two or _is_begun(one, two) for one, two in pairwise(words))
    num_again = sum(one == two for one, two in zip(words, words[2:], strict=False))
    num_stumbles: int = num_twice + num_again + sentence.count(" - ")
    return _PER_STUMBLE * num_stumbles


def _is_begun(one: str, two: str) -> bool:
    return len(one) <= 2 < len(two) and one not in _SHORT and two.startswith(one)


_SHORT_WORDS = "a i an am as at be by do he if in is it me my no of on or so to up us we"
_SHORT = frozenset(_SHORT_WORDS.split())


def _filled(sentence: str) -> float:
    num_fillers, num_vague = len(_FILLER.findall(sentence)), len(_VAGUE.findall(sentence))
    return _PER_FILLER * num_fillers + _PER_VAGUE * num_vague


def _ceremonial(sentence: str) -> float:
    return _CEREMONIAL * bool(_CEREMONY.search(sentence))


_FINDINGS: tuple[Callable[[str], float], ...] = (
    _half,
    _verbless,
    _pointing,
    _stumbling,
    _filled,
    _ceremonial,
)
