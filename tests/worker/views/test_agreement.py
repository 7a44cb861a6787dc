"""What is confirmed never changes, and a final hypothesis confirms what it adds, once."""

from __future__ import annotations

import itertools
import json

from hypothesis import given
from hypothesis import strategies as st

from worker.views.agreement import NUM_SEGMENTS_KEPT, Agreement

WORDS = st.lists(st.sampled_from(["a", "b", "c", "d"]), max_size=6).map(" ".join)


def confirmed_texts(hypotheses: list[str], final: str) -> list[str]:
    """The transcript after each hypothesis of one segment, the final one last."""
    agreement, so_far, texts = Agreement(), [], []
    for text in hypotheses:
        taken = agreement.take("s", text, final=False)
        so_far += taken.text.split() if taken else []
        texts.append(" ".join(so_far))
    taken = agreement.take("s", final, final=True)
    so_far += taken.text.split() if taken else []
    return [*texts, " ".join(so_far)]


@given(st.lists(WORDS, max_size=6), WORDS)
def test_what_is_confirmed_never_changes(hypotheses: list[str], final: str) -> None:
    texts = [text.split() for text in confirmed_texts(hypotheses, final)]
    for earlier, later in itertools.pairwise(texts):
        assert later[: len(earlier)] == earlier


@given(st.lists(WORDS, max_size=6))
def test_a_word_is_confirmed_when_two_successive_hypotheses_agree(hypotheses: list[str]) -> None:
    """Against the definition, word by word, written without the class."""
    expected: list[str] = []
    for before, after in itertools.pairwise(hypotheses):
        one, other = before.split(), after.split()
        num_agreed = 0
        while num_agreed < min(len(one), len(other)) and one[num_agreed] == other[num_agreed]:
            num_agreed += 1
        expected += one[len(expected) : num_agreed]
    agreement = Agreement()
    taken = [agreement.take("s", text, final=False) for text in hypotheses]
    assert " ".join(part.text for part in taken if part) == " ".join(expected)


@given(st.lists(WORDS, max_size=6), WORDS)
def test_a_final_hypothesis_confirms_all_its_words(hypotheses: list[str], final: str) -> None:
    texts = confirmed_texts(hypotheses, final)
    before = texts[-2].split() if len(texts) > 1 else []
    assert texts[-1].split() == before + final.split()[len(before) :]


def test_a_segment_ends_with_its_first_final_hypothesis() -> None:
    agreement = Agreement()
    first = agreement.take("s", "you should thank", final=True)
    assert first is not None
    assert first.text == "you should thank"
    assert agreement.take("s", "you should", final=True) is None
    assert agreement.take("s", "you should thank them", final=False) is None


def test_segments_do_not_confirm_each_other() -> None:
    agreement = Agreement()
    agreement.take("one", "good morning", final=False)
    assert agreement.take("two", "good morning", final=False) is None
    confirmed = agreement.take("one", "good morning all", final=False)
    assert confirmed is not None
    assert (confirmed.text, confirmed.part, confirmed.is_final) == ("good morning", 0, False)


@given(st.lists(st.tuples(st.sampled_from("xyz"), WORDS, st.booleans()), max_size=20), st.data())
def test_an_owner_that_dies_anywhere_changes_nothing(
    entries: list[tuple[str, str, bool]], data: st.DataObject
) -> None:
    death = data.draw(st.integers(0, len(entries)))
    stays, dies = Agreement(), Agreement()
    for index, (name, text, final) in enumerate(entries):
        if index == death:
            dies = Agreement.from_json(json.loads(json.dumps(dies.to_json())))
        assert stays.take(name, text, final=final) == dies.take(name, text, final=final)


def test_old_segments_are_forgotten_final_ones_first() -> None:
    agreement = Agreement()
    agreement.take("open", "still being", final=False)
    for number in range(3 * NUM_SEGMENTS_KEPT):
        agreement.take(f"done {number}", "over", final=True)
    assert len(agreement.to_json()) == NUM_SEGMENTS_KEPT
    confirmed = agreement.take("open", "still being said", final=False)
    assert confirmed is not None
    assert confirmed.text == "still being"
