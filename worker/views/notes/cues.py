"""What kind of note a sentence makes, by words that people say it with. Pure.

A question ends in its mark, in any language. The rest is English, and on purpose short: what no cue
tells is a fact.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from worker.views.notes.item import Kind
from worker.views.notes.telling import telling
from worker.views.sentences import Sentence

MIN_QUESTION_WORDS = 5  # fewer ask for nothing that somebody would look for: "Right?"
NUM_PROMPT = 3  # sentences after a question, in which it is answered as people talk
MIN_ANSWER_WORDS = 3
MIN_SHARED = 2  # telling words of a question, in its answer later on

_DAYS = "(?:mon|tues|wednes|thurs|fri|satur|sun)day"
_MONTHS = (
    "(?:january|february|march|april|may|june|july|august|september|october|november|december)"
)
_PART = "(?: (?:morning|noon|afternoon|evening|night))?"
_TIME = (
    rf"(?:the )?end of (?:the |this |next )?(?:day|week|month|year|quarter|{_MONTHS})"
    rf"|(?:next |this )?{_DAYS}{_PART}"
    r"|(?:next|this) (?:week|month|year|quarter|morning|afternoon|evening|spring|summer|autumn"
    r"|fall|winter)"
    rf"|tomorrow{_PART}|tonight|midnight"
    rf"|{_MONTHS} \d{{1,2}}(?:st|nd|rd|th)?"
    rf"|(?:the )?\d{{1,2}}(?:st|nd|rd|th)?(?: of)? {_MONTHS}"
    r"|\d{1,2}(?::\d\d)? ?(?:am|pm|o'clock)"
)
_DUE = re.compile(
    rf"\b(?:(?:by|before|until|due|on|at) (?:{_TIME}|{_MONTHS}|noon)|{_TIME})\b", re.IGNORECASE
)
_COURSE = (  # of action; not what a chair says: "we will go to Mr. Klein", "let's start"
    r"(?:(?:go|stick|live) (?:with|for|ahead|by)|use|keep|drop|leave|open|close|build|buy"
    r"|(?:take|move|put) (?!(?:\w+ ){0,3}(?:break|recess|look|vote|questions?|moment|minute|record)"
    r"\b|on\b|along\b|forward\b|to the next\b))"
)
_QUOTED = re.compile(r"[\"“][^\"”]*[\"”]?")
_SUPPOSED = re.compile(
    r"\b(?:if|unless|whether|until|when|want(?:s|ed)?|hopes?|wish|maybe|perhaps|suppose|imagine)\b",
    re.IGNORECASE,
)
MAX_DUTY_WORDS = (
    14  # of "the pump needs to be fixed"; who says more, says why, and promises nothing
)
_DECISION = re.compile(
    r"\b(?:(?:we|they|the \w+|it|that)(?:'ve|'s|'re)?(?: have| has| had| was| is| are| were)?"
    r"(?: been)?(?: all| now| also| therefore)? (?:decided|agreed|settled on|approved|resolved to)"
    rf"|(?:we(?:'ll| will| are going to|'re going to)|let's) {_COURSE}\b"
    r"|the (?:decision|plan|agreement) (?:is|was)\b|\bchange (?:that|the|this|our) decision"
    r"|^(?:\W*)(?:decided|agreed|decision)[:,]"
    r"|(?:motion|amendment|proposal) (?:is |was )?(?:carried|agreed|passed|adopted))",
    re.IGNORECASE,
)
_DEED = (
    r"(?:also |just |then |please )?(?:send|write|check|call|ring|e-?mail|look|prepare|set|order"
    r"|fix|mend|book|ask|(?:talk|speak) (?:to|with|again)|find|draft|update|share|bring|finish"
    r"|review|test|schedule|contact|follow|circulate|arrange|put|report|measure|count|move"
    r"|clean|replace|see to|organi[sz]e|print|buy|add|remove|install|deliver)"
)
_ACTION = re.compile(
    rf"\b(?:(?i:I(?:'ll| will|'m going to| am going to) {_DEED}"
    rf"|(?:can|could|would|will) (?:you|somebody|someone) {_DEED}"
    rf"|you(?:'ll| will)? (?:need to|have to) {_DEED})\b"
    rf"|[A-Z][a-z]+(?:'ll| will| is going to| has to| needs to) {_DEED}\b"
    r"|action (?:item|point))"
)
_DUTY = re.compile(r"\bneeds? to be (?:done|sent|fixed|checked|written|ordered|called)\b")
_ANSWERING = re.compile(
    r"^(?:\W*)(?:yes|yeah|yep|yup|no|nope|sure|okay|ok|exactly|correct|right|absolutely|of course"
    r"|certainly|definitely|probably|because)\b",
    re.IGNORECASE,
)
_NO_ANSWER = re.compile(
    r"\b(?:(?:don't|didn't|nobody|no one|not) (?:really |quite |yet )?(?:know|knows|sure|certain)"
    r"|no idea|not sure|can't (?:say|tell)|good question|find (?:that )?out"
    r"|have to (?:ask|check|look)"
    r"|(?:come|get) back to (?:that|you|it))\b",
    re.IGNORECASE,
)


def kind_of(sentence: Sentence) -> Kind:
    if sentence.is_question:
        return "question"
    text = _QUOTED.sub("", sentence.text.replace("’", "'"))
    if _is_meant(_DECISION.search(text)):
        return "decision"
    is_duty = sentence.num_words <= MAX_DUTY_WORDS and _DUTY.search(text)
    return "action" if is_duty or _is_meant(_ACTION.search(text)) else "fact"


def _is_meant(found: re.Match[str] | None) -> bool:
    """Whether nothing before it says that it is only thought of."""
    return found is not None and not _SUPPOSED.search(found.string[: found.start()])


def due_in(text: str) -> str:
    """The words that say by when, the first of them; "" if none do."""
    return next(iter(dues_in(text)), "")


def dues_in(text: str) -> list[str]:
    return [found.group() for found in _DUE.finditer(text)]


def is_open(said: Sequence[Sentence], place: int) -> bool:
    """Whether the sentence at `place` is a question to others that nobody has answered yet: one
    that its speaker goes on from is none."""
    sentence, after = said[place], said[place + 1 :]
    if not sentence.is_question or sentence.num_words < MIN_QUESTION_WORDS:
        return False
    goes_on = bool(after) and bool(sentence.speaker) and after[0].speaker == sentence.speaker
    return not goes_on and answer_to(sentence.text, sentence.speaker, after) is None


def answer_to(question: str, asker: str, after: Sequence[Sentence]) -> Sentence | None:
    """The sentence that answers it, of what was said right after it: the first statement of
    somebody else, unless that says that there is no answer."""
    replies = [sentence for sentence in after[:NUM_PROMPT] if _may_answer(sentence, asker)]
    if replies and not says_nothing(replies[0]):
        return replies[0]
    return later_answer_to(question, asker, after)


def later_answer_to(question: str, asker: str, said: Sequence[Sentence]) -> Sentence | None:
    """The first statement of somebody else that has more to do with the question than one word by
    chance."""
    words = telling(question)
    for sentence in said:
        num_shared = len(words & telling(sentence.text))
        is_about = num_shared >= min(MIN_SHARED, len(words))
        if is_about and _may_answer(sentence, asker) and not says_nothing(sentence):
            return sentence
    return None


def _may_answer(sentence: Sentence, asker: str) -> bool:
    is_another = sentence.speaker != asker or not asker
    is_long = sentence.num_words >= MIN_ANSWER_WORDS or bool(_ANSWERING.match(sentence.text))
    return is_another and is_long and not sentence.is_question


def says_nothing(sentence: Sentence) -> bool:
    """Whether somebody says that he does not know."""
    return bool(_NO_ANSWER.search(sentence.text.replace("’", "'")))
