"""What a passage becomes depends on the passage alone, and it is that passage, written."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import ConfigError
from engine.restore.marks import MARKS
from engine.restore.passage import MAX_TOKENS, Passage
from engine.restore.punctuator import MAX_STEP_TOKENS, Punctuator, batches
from engine.restore.stored import Habits, load, save
from tests.engine.restore.small import small_encoder, small_punctuator, small_tokenizer

DTYPES = [torch.float32, torch.bfloat16]
words = st.lists(
    st.text("abcdez '.$5ßжﬁ中", min_size=1, max_size=12).filter(str.strip), max_size=20
)
passages = st.builds(
    Passage,
    words=st.lists(
        st.sampled_from(
            ["a", "bb", "ccc", "3.5", "k", "dot", "com", "straße", "中文", "zzzzzzzzzzzz"]
        ),
        min_size=1,
        max_size=Passage.MAX_WORDS,
    ).map(tuple),
    before=words.map(tuple),
    after=words.map(tuple),
    ends=st.booleans(),
)


@settings(max_examples=25, deadline=None)
@given(asked=st.lists(passages, min_size=1, max_size=12), dtype=st.sampled_from(DTYPES))
def test_passages_together_become_what_each_becomes_alone(
    asked: list[Passage], dtype: torch.dtype
) -> None:
    punctuator = small_punctuator(dtype)
    alone = [punctuator.restore([passage])[0] for passage in asked]
    assert punctuator.restore(asked) == alone
    assert punctuator.restore(asked[::-1]) == alone[::-1]


@pytest.mark.parametrize("dtype", DTYPES)
def test_states_are_the_same_bit_by_bit_whoever_shares_the_step(dtype: torch.dtype) -> None:
    encoder = small_encoder().to(dtype)
    chance = torch.Generator().manual_seed(0)
    tokens = torch.randint(4, 40, (8, 48), generator=chance)
    is_token = torch.ones(8, 48, dtype=torch.bool)
    with torch.inference_mode():
        together = encoder(tokens, is_token)
        for size in (1, 2, 4):
            assert torch.equal(encoder(tokens[:size], is_token[:size]), together[:size])


@settings(max_examples=25, deadline=None)
@given(passage=passages)
def test_every_word_comes_back_in_its_place_with_at_most_one_mark(passage: Passage) -> None:
    written = small_punctuator().restore([passage])[0]
    assert len(written) == len(passage.words)
    for came, went in zip(passage.words, written, strict=True):
        assert went[: len(came)].lower() == came.lower()
        assert went[len(came) :] in MARKS


def test_words_before_and_after_are_read() -> None:
    """Many contexts, for one of them may happen to change nothing."""
    asked = ("aa", "bb", "cc", "dd")
    variants = [Passage(asked, before=(w,), after=(w,)) for w in ("ee", "fff", "g", "hh")]
    assert len(set(small_punctuator().restore(variants))) > 1


def test_a_passage_has_room_whatever_is_in_it() -> None:
    long = ("z" * 60,) * Passage.MAX_WORDS
    reading = small_punctuator().read(Passage(long, before=long, after=long, ends=True))
    assert reading.length <= MAX_TOKENS
    assert len(reading.places) == Passage.MAX_WORDS


@given(st.lists(st.sampled_from([16, 32, 48, 128, 256]), min_size=1, max_size=200))
def test_batches_hold_everything_once_and_the_first_first(lengths: list[int]) -> None:
    found = list(batches(lengths))
    assert sorted(i for batch in found for i in batch) == list(range(len(lengths)))
    assert found[0][0] == 0
    for batch in found:
        assert len({lengths[i] for i in batch}) == 1
        assert lengths[batch[0]] * len(batch) <= MAX_STEP_TOKENS
        assert len(batch).bit_count() == 1


def test_saved_weights_say_what_they_said_before(tmp_path: Path) -> None:
    habits = Habits(("en", "fr"), (0.0, 0.5, *(0.0,) * 5))
    save(tmp_path, small_encoder(), small_tokenizer(), habits)
    encoder, _, found = load(tmp_path, torch.float32)
    assert found == habits
    for name, values in small_encoder().state_dict().items():
        step = values.abs().amax(-1, keepdim=True) / 127 if values.dim() > 1 else torch.tensor(0.0)
        assert ((encoder.state_dict()[name] - values).abs() <= step).all()


def test_a_folder_without_an_encoder_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"python -m ops\.restore"):
        Punctuator.load(tmp_path)


def test_the_encoder_that_comes_with_weir_writes_spoken_english() -> None:
    said = "thank you mr chairman how many people work in the new york office we have about 500"
    written = " ".join(Punctuator.load().restore([Passage(tuple(said.split()), ends=True)])[0])
    assert "Thank you, Mr. Chairman. How many" in written
    assert "New York" in written


@pytest.mark.parametrize(
    ("said", "name", "expected"),
    [
        ("yesterday i talked to kowalczyk about the trial", "Kowalczyk", True),
        ("yesterday i talked to mcfadden about the trial", "McFadden", True),
        ("we will see what will happen tomorrow", "Will", False),
        ("that is the mark of a good team", "Mark", False),
    ],
)
def test_a_name_is_written_as_the_stream_writes_it_unless_it_is_a_common_word_here(
    said: str, name: str, expected: bool
) -> None:
    passage = Passage(tuple(said.split()), names={name.lower(): name})
    written = Punctuator.load().restore([passage])[0]
    assert (name in {word.rstrip(".,?") for word in written}) is expected
