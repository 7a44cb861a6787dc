"""The most telling sentence comes first, and what repeats it does not come second."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.sentences.choice import MAX_COMPARED, best_first

texts = st.lists(st.text(st.sampled_from("ab c"), max_size=12), max_size=12)


@given(texts, st.data())
def test_every_sentence_comes_once_the_most_telling_one_first(
    sentences: list[str], data: st.DataObject
) -> None:
    size = len(sentences)
    salience = data.draw(st.lists(st.floats(0, 1), min_size=size, max_size=size))
    order = list(best_first(sentences, salience))
    assert sorted(order) == list(range(size))
    spoken = [i for i in range(size) if sentences[i].strip()]
    if spoken and max(salience[i] for i in spoken) > 0:
        assert salience[order[0]] == max(salience[i] for i in spoken)


def test_what_says_it_again_waits_for_what_is_new() -> None:
    said = ["the gates stick at the weir", "the gates stick at the weir", "a budget of ten euros"]
    assert list(best_first(said, [0.9, 0.9, 0.6])) == [0, 2, 1]


def test_of_very_many_only_the_most_telling_are_compared() -> None:
    salience = [i / 1000 for i in range(1000)]
    order = list(best_first([f"word{i}" for i in range(1000)], salience))
    assert order == list(range(999, 999 - MAX_COMPARED, -1))
