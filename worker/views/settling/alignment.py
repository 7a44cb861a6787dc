"""Where the new words of a hypothesis begin, when its beginning may be said otherwise by now.

What was settled, and what the hypothesis before had after it, is aligned with the new words at the
least cost: letters that change, words put in, words left out. The new words begin after the place
of the last settled word. Two rules where a cost alone would not tell:

* of two places that cost the same, the one that leaves more words new: rather a word too many than
  one lost;
* a word in the place of a settled word stands for it, however unlike it is. That a recogniser takes
  a settled word back and says nothing in its place is known of fillers and repetitions.

A word of which only the beginning is settled is finished as the hypothesis before had it, or as the
number is said: "twenty five" and then "25,000 euros" go on with "thousand euros".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rapidfuzz.distance import Levenshtein

from worker.views.settling.readings import is_filler, letters_read, rest_of
from worker.views.settling.words import is_mark, key, keys

MAX_CELLS = 2500  # of the exact table; what is larger is cut down at runs of equal words first
NUM_AROUND = 4  # equal words beside what differs: joins and repetitions may begin there
MAX_READ_WORDS = 6  # settled words whose place a number can take while it is not yet said in full
MAX_WEIGHT = 8.0  # letters: a longer word is no better evidence
DELETE = 8.5  # more than any word costs that stands for another one
NOT_REACHED = 1.0
WITHDRAW = 5.5  # a word that was pending: with a short word in its place still more than DELETE
INSERT = 0.8  # for each letter: less than to stand for another one
OF_NO_WEIGHT = 0.1  # a filler, a mark
BEGUN = 0.25  # for each letter that only one of two words has at its end
NUMBER = 5.0  # for each word but the first for which digits stand, if that cannot be told
JOINED = 1.5  # besides the letters that differ
REPEATED = 0.2  # a word said before, left out or put in
SAID_ALIKE = 0.5  # the same for one much like it: dearer than to be the beginning of another


@dataclass(frozen=True)
class Place:
    """`rest` and then the words from `start` on are new."""

    start: int
    rest: tuple[str, ...] = ()


def place(settled: Sequence[str], pending: Sequence[str], new: Sequence[str]) -> Place:
    """settled, pending: what the hypothesis before had, in its order."""
    old, num_settled = (*settled, *pending), len(settled)
    old_keys, new_keys = keys(old), keys(new)
    num_equal = _num_common(old_keys, new_keys)
    if num_equal >= num_settled:
        return Place(num_settled)
    first = max(0, num_equal - NUM_AROUND)
    cut = _Cut(first, first, len(old), len(new))
    if cut.num_cells > MAX_CELLS:
        cut = _at_equal_runs(old_keys, new_keys, num_settled, cut)
    if cut.num_cells > MAX_CELLS:
        return Place(_by_words_alone(old_keys, new_keys, num_settled))
    table = _Table(
        old[cut.old_first : cut.old_end],
        new[cut.new_first : cut.new_end],
        num_settled - cut.old_first,
    )
    found = table.place()
    return Place(found.start + cut.new_first, found.rest)


@dataclass(frozen=True)
class _Cut:
    """The part of both that is aligned letter by letter."""

    old_first: int
    new_first: int
    old_end: int
    new_end: int

    @property
    def num_cells(self) -> int:
        return (self.old_end - self.old_first + 1) * (self.new_end - self.new_first + 1)


def _num_common(one: Sequence[str], other: Sequence[str]) -> int:
    pairs = zip(one, other, strict=False)
    return next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def _at_equal_runs(old: Sequence[str], new: Sequence[str], num_settled: int, cut: _Cut) -> _Cut:
    """From the last run of equal words before the border to the first one after it."""
    old_first, new_first, old_end, new_end = cut.old_first, cut.new_first, cut.old_end, cut.new_end
    for block in Levenshtein.opcodes(old, new):
        size = block.src_end - block.src_start
        if block.tag != "equal" or size < 2:
            continue
        if block.src_end < num_settled:
            old_first = block.src_end - min(size, NUM_AROUND)
            new_first = block.dest_end - min(size, NUM_AROUND)
        elif block.src_start > num_settled and size >= 2:
            old_end, new_end = block.src_start + 2, block.dest_start + 2
            break
        elif block.src_start <= num_settled:  # the border lies in the run
            return _Cut(block.src_start, block.dest_start, block.src_end, block.dest_end)
    room = 2 * (old_end - old_first) + 32
    return _Cut(old_first, new_first, old_end, min(new_end, new_first + room))


def _by_words_alone(old: Sequence[str], new: Sequence[str], num_settled: int) -> int:
    """For what differs over hundreds of words: a changed word stands for the one in its place."""
    old_at = new_at = 0  # where the last run of equal words ended
    for block in Levenshtein.opcodes(old, new):
        if block.tag != "equal":
            continue
        if block.src_start >= num_settled:
            return min(new_at + num_settled - old_at, block.dest_start)
        if block.src_end >= num_settled:
            return block.dest_start + num_settled - block.src_start
        old_at, new_at = block.src_end, block.dest_end
    return min(new_at + num_settled - old_at, len(new))


# (cost, new words before the border or -1 while it is ahead, `Place.rest`): of two ways that cost
# the same, the one that comes first as a tuple is better.
_Way = tuple[float, int, tuple[str, ...]]
_NO_WAY: _Way = (float("inf"), -1, ())


class _Table:
    """The least cost of aligning the first i old words with the first j new ones, for all i, j."""

    def __init__(self, old: Sequence[str], new: Sequence[str], num_settled: int):
        self._old, self._new, self._border = old, new, num_settled
        self._old_keys, self._new_keys = keys(old), keys(new)
        self._old_letters, self._old_at, self._old_index = _run_together(self._old_keys)
        self._new_letters, self._new_at, self._new_index = _run_together(self._new_keys)
        self._delete = [
            _cheap(old, i) or (DELETE if i < num_settled else WITHDRAW) for i in range(len(old))
        ]
        self._insert = [_cheap(new, j) or INSERT * _weight(key(w)) for j, w in enumerate(new)]
        # A hypothesis may end early: before what was pending, or with one of the settled words.
        is_last = (
            [_may_be_heard_as(word, self._new_keys[-1]) for word in self._old_keys] if new else []
        )
        self._may_end_at = min(num_settled, is_last.index(True) + 1 if any(is_last) else len(old))
        self._ways = [[_NO_WAY] * (len(new) + 1) for _ in range(len(old) + 1)]

    def place(self) -> Place:
        self._ways[0][0] = (0.0, 0 if self._border == 0 else -1, ())
        for i in range(len(self._old) + 1):
            for j in range(len(self._new) + 1):
                if self._ways[i][j] < _NO_WAY:
                    self._go_on(i, j)
        _, start, rest = min(self._ways[-1])  # what follows the old words in the new ones is free
        return Place(start, rest)

    def _go_on(self, i: int, j: int) -> None:
        has_old, has_new = i < len(self._old), j < len(self._new)
        if has_old:
            ends_early = not has_new and i >= self._may_end_at
            self._step(i, j, i + 1, j, NOT_REACHED if ends_early else self._delete[i])
        if has_new:
            self._step(i, j, i, j + 1, self._insert[j])
        if has_old and has_new:
            self._step(i, j, i + 1, j + 1, _changed(self._old_keys[i], self._new_keys[j]))
            self._step_over_equal(i, j)
            self._step_over_joined(i, j)
            if i < self._border <= i + MAX_READ_WORDS:
                self._step_into_a_word(i, j)
            if _in_digits(self._new_keys[j]):
                self._step_over_a_number(i, j)

    def _step_over_equal(self, i: int, j: int) -> None:
        """One word on one side, and on the other all the words that it is read as."""
        for read in letters_read(self._new[j]):
            end = self._old_index.get(self._old_at[i] + len(read))
            if end and end > i and self._old_letters.startswith(read, self._old_at[i]):
                self._step(i, j, end, j + 1, 0.0)
        for read in letters_read(self._old[i]):
            end = self._new_index.get(self._new_at[j] + len(read))
            if end and end > j + 1 and self._new_letters.startswith(read, self._new_at[j]):
                # Of two readings the longer: "€5" is "five euros" rather than "five".
                self._step(i, j, i + 1, end, OF_NO_WEIGHT / len(read))

    def _step_over_joined(self, i: int, j: int) -> None:
        """Two words made one, or one made two, and a letter of them another one."""
        old, new = self._old_keys, self._new_keys
        if old[i][:1] != new[j][:1]:
            return
        if i + 1 < len(old) and _differ_by_a_letter(old[i] + old[i + 1], new[j]):
            self._step(i, j, i + 2, j + 1, JOINED + _changed(old[i] + old[i + 1], new[j]))
        if j + 1 < len(new) and _differ_by_a_letter(old[i], new[j] + new[j + 1]):
            self._step(i, j, i + 1, j + 2, JOINED + _changed(old[i], new[j] + new[j + 1]))

    def _step_over_a_number(self, i: int, j: int) -> None:
        """Digits may stand for several words, in any language."""
        for end in range(i + 2, min(i + MAX_READ_WORDS, len(self._old)) + 1):
            if _in_digits(self._old_keys[end - 1]) or _in_digits(self._old_keys[i]):
                return
            self._step(i, j, end, j + 1, NUMBER * (end - i - 1))

    def _step_into_a_word(self, i: int, j: int) -> None:
        """The settled words from i on are the beginning of what new word j is read as."""
        left = rest_of(self._new[j], self._old_keys[i : self._border])
        if left:
            cost, _, _ = self._ways[i][j]
            way = (cost + OF_NO_WEIGHT, j + 1, tuple(f" {word}" for word in left))
            self._ways[self._border][j + 1] = min(self._ways[self._border][j + 1], way)

    def _step(self, i: int, j: int, to_i: int, to_j: int, cost: float) -> None:
        so_far, start, rest = self._ways[i][j]
        if i < self._border <= to_i:
            start, rest = to_j, tuple(self._old[self._border : to_i])
        way = (so_far + cost, start, rest)
        if way < self._ways[to_i][to_j]:
            self._ways[to_i][to_j] = way


def _run_together(words: Sequence[str]) -> tuple[str, list[int], dict[int, int]]:
    """All letters; where each word begins in them; how many words end at a place."""
    at = [0]
    for word in words:
        at.append(at[-1] + len(word))
    return "".join(words), at, {place: index for index, place in enumerate(at)}


def _is_like(one: str, other: str) -> bool:
    return abs(len(one) - len(other)) < 3 and Levenshtein.normalized_similarity(one, other) >= 0.7


def _differ_by_a_letter(one: str, other: str) -> bool:
    return Levenshtein.distance(one, other, score_cutoff=1) <= 1


def _may_be_heard_as(word: str, last: str) -> bool:
    """The last word of a hypothesis may be heard in part."""
    return word == last or (len(last) > 2 and word.startswith(last))


def _in_digits(word: str) -> bool:
    return any(map(str.isdigit, word))


def _weight(word: str) -> float:
    return min(float(len(word)), MAX_WEIGHT)


def _cheap(words: Sequence[str], index: int) -> float | None:
    """What it costs to leave out, or to put in, a word that says nothing new."""
    if is_filler(words[index]) or is_mark(words[index]):
        return OF_NO_WEIGHT
    word, before = key(words[index]), keys(words[max(0, index - 3) : index])
    is_begun = len(word) > 2 and any(one.startswith(word) for one in before)
    after = keys(words[index + 1 : index + 2])  # "dif- different"
    is_begun |= len(word) > 2 and any(one.startswith(word) and one != word for one in after)
    if word in before or is_begun or word == "".join(before[-2:]):
        return REPEATED * _weight(word)
    is_like_one = len(word) > 2 and any(
        one[:1] == word[:1] and _is_like(one, word) for one in before
    )
    return SAID_ALIKE * _weight(word) if is_like_one else None


def _changed(one: str, other: str) -> float:
    if one == other:
        return 0.0
    if len(one) > 1 and len(other) > 1 and (one.startswith(other) or other.startswith(one)):
        return 1 + BEGUN * abs(
            len(one) - len(other)
        )  # a word that was heard in part, or its ending
    alike = Levenshtein.normalized_similarity(one, other)
    return max(_weight(one), _weight(other)) * (1 - alike if alike >= 0.5 else 1.0)
