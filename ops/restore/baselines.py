"""What an encoder has to be better than: nothing at all, and what is usual for each word."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from engine.restore.marks import CASES, MARKS, SENTENCE_ENDS
from engine.restore.passage import Passage
from engine.restore.spelling import spelled
from ops.restore.evaluate import Restore
from ops.restore.labels import UNKNOWN, Word


def unrestored(passages: Sequence[Passage]) -> list[tuple[str, ...]]:
    return [passage.words for passage in passages]


def usual(documents: Iterable[list[Word]]) -> Restore:
    """The commonest mark of each word before the next one, else of the word; its commonest case,
    and a capital after a full stop."""
    marks: dict[tuple[str, ...], Counter[int]] = defaultdict(Counter)
    cases: dict[str, Counter[int]] = defaultdict(Counter)
    for words in documents:
        for word, following in zip(words, [*words[1:], words[-1]], strict=True):
            if word.mark != UNKNOWN:
                marks[word.raw, following.raw][word.mark] += 1
                marks[word.raw,][word.mark] += 1
            if word.case != UNKNOWN and not word.is_after_end:
                cases[word.raw][word.case] += 1

    def restore(passages: Sequence[Passage]) -> list[tuple[str, ...]]:
        return [tuple(_written(passage)) for passage in passages]

    def _written(passage: Passage) -> Iterable[str]:
        last = passage.before[-1] if passage.before else "."
        following = [*passage.words[1:], *(passage.after[:1] or ("",))]
        for word, after in zip(passage.words, following, strict=True):
            counts = marks.get((word, after)) or marks.get((word,)) or Counter([0])
            case = cases[word].most_common(1)[0][0] if word in cases else 0
            if last.endswith(tuple(SENTENCE_ENDS)):
                case = max(case, 1)
            last = spelled(word, CASES[case], MARKS[counts.most_common(1)[0][0]], {})
            yield last

    return restore
