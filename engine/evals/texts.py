"""Text files of any length as one stream of tokens, of which one piece is in memory at a time."""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

from engine.errors import ConfigError
from engine.text.tokenizer import Tokenizer

CHUNK = 256
# Long enough that cutting costs no speed, short enough that memory stays level.
PIECE_CHARACTERS = 2048


class Chunk(NamedTuple):
    """Tokens to feed, the token that follows each of them, and the file that the first is from."""

    inputs: list[int]
    targets: list[int]
    path: Path


@dataclass(frozen=True)
class Texts:
    """Files read one after the other, as if they were one; `repeat`: again and again.

    UTF-8, packed with gzip if the name ends in .gz. They are tokenised in pieces of whole lines, at
    least PIECE_CHARACTERS long, and a piece counts as the file's in which it begins.
    """

    paths: Sequence[Path]
    repeat: bool = False

    def chunks(self, tokenizer: Tokenizer, max_tokens: int) -> Iterator[Chunk]:
        """The first `max_tokens` tokens, begin of sequence included where the model has one.

        ConfigError when a file cannot be read, or when there are fewer than two tokens.
        """
        tokens = islice(self._tokens(tokenizer), max_tokens)
        before = next(tokens, None)
        num_chunks = 0
        while before is not None and (after := list(islice(tokens, CHUNK))):
            ids = [before[0], *(token for token, _ in after)]
            yield Chunk(ids[:-1], ids[1:], after[0][1])
            before = after[-1]
            num_chunks += 1
        if not num_chunks:
            raise ConfigError(f"text={_names(self.paths)} needs to be two tokens or more.")

    def check(self) -> None:
        """ConfigError for a file that is not there, before hours are spent on the one before it."""
        for path in self.paths:
            next(_lines_of(path), None)

    def _tokens(self, tokenizer: Tokenizer) -> Iterator[tuple[int, Path]]:
        bos = tokenizer.hf.bos_token_id
        if bos is not None:
            yield bos, self.paths[0]
        has_tokens = True
        while has_tokens:
            has_tokens = False
            for text, path in self._pieces():
                for token in tokenizer.encode(text):
                    yield token, path
                    has_tokens = self.repeat

    def _pieces(self) -> Iterator[tuple[str, Path]]:
        lines: list[str] = []
        num_characters, begun_in = 0, self.paths[0]
        for line, path in chain.from_iterable(map(_lines_of, self.paths)):
            if not lines:
                begun_in = path
            lines.append(line)
            num_characters += len(line)
            if num_characters >= PIECE_CHARACTERS and line.endswith("\n"):
                yield "".join(lines), begun_in
                lines, num_characters = [], 0
        yield "".join(lines), begun_in


def _lines_of(path: Path) -> Iterator[tuple[str, Path]]:
    opened = gzip.open if path.suffix == ".gz" else open
    try:
        with opened(path, "rt", encoding="utf-8") as file:
            for line in file:
                yield line, path
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise ConfigError(f"text={str(path)!r} needs to be a file in UTF-8 ({error}).") from error


def _names(paths: Sequence[Path]) -> str:
    return ", ".join(repr(str(path)) for path in paths)
