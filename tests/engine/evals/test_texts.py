"""Texts of any number of files, in chunks: every token once, in order, whatever the files."""

from __future__ import annotations

import gzip
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import ConfigError
from engine.evals.texts import CHUNK, PIECE_CHARACTERS, Texts
from engine.text.tokenizer import Tokenizer
from tests.engine.local_model import build_tokenizer

TOKENIZER = Tokenizer(build_tokenizer())
BOS = TOKENIZER.hf.bos_token_id
words = st.sampled_from(["a", "weir ", "\n", "river\n\n", "y" * PIECE_CHARACTERS, "é"])
contents = st.lists(st.lists(words, max_size=8).map("".join), min_size=1, max_size=4)


def written(folder: Path, parts: list[str]) -> tuple[Path, ...]:
    paths = tuple(folder / f"{number}.txt" for number in range(len(parts)))
    for path, part in zip(paths, parts, strict=True):
        path.write_text(part, encoding="utf-8")
    return paths


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("texts")


@given(parts=contents, max_tokens=st.integers(2, 3 * PIECE_CHARACTERS))
def test_chunks_hold_every_token_once_and_its_follower(
    folder: Path, parts: list[str], max_tokens: int
) -> None:
    expected = [BOS, *TOKENIZER.encode("".join(parts))][:max_tokens]
    if len(expected) < 2:
        return
    chunks = list(Texts(written(folder, parts)).chunks(TOKENIZER, max_tokens))
    assert [token for chunk in chunks for token in chunk.inputs] == expected[:-1]
    assert [token for chunk in chunks for token in chunk.targets] == expected[1:]
    assert all(len(chunk.inputs) == CHUNK for chunk in chunks[:-1])


@given(parts=contents.filter(any))
def test_repeated_texts_begin_again(folder: Path, parts: list[str]) -> None:
    once = TOKENIZER.encode("".join(parts))
    chunks = Texts(written(folder, parts), repeat=True).chunks(TOKENIZER, 3 * len(once) + 1)
    assert [token for chunk in chunks for token in chunk.targets] == 3 * once


def test_a_file_can_be_packed(tmp_path: Path) -> None:
    (tmp_path / "plain.txt").write_text("The gate stuck.\n")
    with gzip.open(tmp_path / "packed.txt.gz", "wt") as file:
        file.write("The gate stuck.\n")
    plain, packed = (
        list(Texts((tmp_path / name,)).chunks(TOKENIZER, 100))
        for name in ("plain.txt", "packed.txt.gz")
    )
    assert [chunk.targets for chunk in plain] == [chunk.targets for chunk in packed]


def test_no_more_of_a_text_is_read_than_is_needed(tmp_path: Path) -> None:
    path = tmp_path / "long.txt"
    path.write_bytes(b"The gate stuck.\n" * 10_000 + b"\xff")
    chunks = list(islice(Texts((path,)).chunks(TOKENIZER, 10**9), 3))
    assert len(chunks) == 3


def test_an_empty_text_is_not_repeated_for_ever(tmp_path: Path) -> None:
    paths = written(tmp_path, ["", ""])
    with pytest.raises(ConfigError, match=r"0\.txt', '.*1\.txt' needs to be two tokens"):
        list(Texts(paths, repeat=True).chunks(TOKENIZER, 100))


def test_every_file_is_looked_at_first(tmp_path: Path) -> None:
    [there] = written(tmp_path, ["The gate stuck."])
    with pytest.raises(ConfigError, match=r"missing\.txt' needs to be a file"):
        Texts((there, tmp_path / "missing.txt")).check()
