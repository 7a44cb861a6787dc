"""Notes in a model's own words, under a grammar that lets it cite and claim what was said only.

The model reads the open items and what is new, line by line, each with a number to cite it by, on a
row of its own; what does not fit into its window at once it reads in turn. Each answer is a list of
operations. Invariant: every citation is an entry of a line that was shown, and every number and
name is in what was shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from engine import GenerateRequest, GrammarConstraint, Grammars
from worker.intake.feed import Line
from worker.views.draft import Draft, Drafts
from worker.views.notes.cues import dues_in
from worker.views.notes.form import Choices, grammar, operations
from worker.views.notes.item import Item, Operation
from worker.views.notes.notebook import Notebook
from worker.views.notes.sourced import Source
from worker.views.sentences import Sentence, sentences

MAX_LINES_TOKENS = 400  # a small model finds little in more
MIN_LINES_TOKENS = 64
MAX_SHOWN = 8  # items: those that were made or changed last
MIN_LINE_WORDS = 12  # shorter sentences of one speaker share a line
NUM_SPARE = 8

INSTRUCTION = (
    "You keep the notes of a talk that is still going on. The notes so far:\n{items}\n\n"
    "What has been said since, line by line:\n{lines}\n\n"
    "Write what is worth noting for somebody who was not there: decisions, actions (who does what "
    "by when), open questions, important facts. Write one JSON object a line, and cite the numbers "
    "of the lines. Revise a note that has changed, resolve a question that is answered. Write few."
)

Prevented = Callable[[str, int], None]


@dataclass(frozen=True)
class Room:
    """Tokens of one prompt that are left for lines and for items."""

    lines: int
    items: int


class OwnWords:
    """Asks one engine's model, for all streams: it holds no stream's state."""

    def __init__(
        self, drafts: Drafts, *, num_recent: int, max_tokens: int, prevented: Prevented
    ) -> None:
        """num_recent: tokens of a row that are seen besides its opening. Raises ValueError if they
        are too few."""
        self._drafts = drafts
        self._engine = drafts.engine
        self._grammars = Grammars(drafts.engine.tokenizer)
        self._max_tokens = max_tokens
        self._prevented = prevented
        self._room = self._room_in(num_recent)

    def _room_in(self, num_recent: int) -> Room:
        thought = self._engine.config.thought_tokens
        num_left = num_recent - len(self._prompt("", "")) - thought - self._max_tokens - NUM_SPARE
        room = Room(min(MAX_LINES_TOKENS, 2 * num_left // 3), num_left // 3)
        if room.lines < MIN_LINES_TOKENS:
            raise ValueError(
                f"a window of {num_recent} recent tokens has no room for notes in the model's"
                " words: raise WEIR_NUM_RECENT, lower WEIR_NOTES_MAX_TOKENS, or set"
                " WEIR_NOTES=quotes"
            )
        return room

    def begin(self, book: Notebook, lines: Sequence[Line], *, is_paused: bool) -> Written:
        said = [one for one in sentences(lines) if one.is_whole or is_paused]
        return Written(self, book, self._parts(shown_lines(said)))

    def _parts(self, shown: Sequence[Sentence]) -> list[list[Sentence]]:
        """As many lines at a time as there is room for."""
        parts, num = list[list[Sentence]](), 0
        for line in shown:
            size = self._size(f"[99] {line.speaker}: {line.text}\n")
            if not parts or num + size > self._room.lines:
                parts.append([])
                num = 0
            parts[-1].append(line)
            num += size
        return parts

    def draft(self, book: Notebook, part: Sequence[Sentence]) -> tuple[Draft, GrammarConstraint]:
        """Raises engine.NoFreeRow."""
        self._drafts.require_place()
        items = self._shown_items(book.items)
        constraint = self._grammars.lark(grammar(_choices(items, part)))
        tokenizer = self._engine.tokenizer
        request = GenerateRequest(
            max_tokens=self._max_tokens,
            stop=tokenizer.eos_ids,
            constraint=constraint,
            thought=tokenizer.thought,
        )
        numbered = (_numbered(str(n), line) for n, line in enumerate(part, start=1))
        prompt = self._prompt("\n".join(map(_item_line, items)) or "none", "\n".join(numbered))
        return self._drafts.on_blank(prompt, request), constraint

    def _prompt(self, items: str, lines: str) -> list[int]:
        tokenizer = self._engine.tokenizer
        asked = INSTRUCTION.format(items=items, lines=lines)
        return [*tokenizer.encode(asked), *tokenizer.chat_parts().suffix]

    def _shown_items(self, items: Sequence[Item]) -> list[Item]:
        """The newest ones that there is room for, oldest first."""
        shown, num = list[Item](), 0
        for item in reversed(items[-MAX_SHOWN:]):
            num += self._size(f"{_item_line(item)}\n")
            if num > self._room.items:
                break
            shown.insert(0, item)
        return shown

    def _size(self, text: str) -> int:
        return len(self._engine.tokenizer.encode(text))

    def count(self, constraint: GrammarConstraint) -> None:
        """What the model would have written, had it been let."""
        words = [self._engine.tokenizer.decode([one]) for one in constraint.refused_ids]
        num_numbers = sum(any(map(str.isdigit, word)) for word in words)
        num_names = sum(word != word.lower() for word in words)
        self._prevented("number", num_numbers)
        self._prevented("name", num_names)


class Written:
    """A `notes.Step`: one answer after the other."""

    def __init__(self, maker: OwnWords, book: Notebook, parts: list[list[Sentence]]):
        self._maker = maker
        self._book = book
        self._parts = parts
        self._found: list[Operation] = []
        self._draft: Draft | None = None
        self._constraint: GrammarConstraint | None = None

    def advance(self) -> Sequence[Operation] | None:
        if self._draft and self._draft.is_done:
            self._take(self._draft.finish())
        if self._draft is None and self._parts:
            self._draft, self._constraint = self._maker.draft(self._book, self._parts[0])
        return None if self._parts else self._found

    def _take(self, answer: str | None) -> None:
        """What was lost on the way is asked for again."""
        self._draft = None
        if answer is None or self._constraint is None:
            return
        part = self._parts.pop(0)
        cited = {n: line.entries for n, line in enumerate(part, start=1)}
        more = operations(answer, cited)
        self._book, _ = self._book.apply(more)
        self._found += more
        self._maker.count(self._constraint)

    def close(self) -> None:
        if self._draft:
            self._draft.close()
        self._draft = None


def shown_lines(said: Sequence[Sentence]) -> list[Sentence]:
    """Sentences, short ones joined to the one before of the same speaker."""
    lines = list[Sentence]()
    for one in said:
        last = lines[-1] if lines else None
        if last and last.speaker == one.speaker and last.num_words < MIN_LINE_WORDS:
            entries = tuple(dict.fromkeys((*last.entries, *one.entries)))
            lines[-1] = replace(last, text=f"{last.text} {one.text}", entries=entries)
        else:
            lines.append(one)
    return lines


def _choices(items: Sequence[Item], part: Sequence[Sentence]) -> Choices:
    texts = [text for line in part for text in (line.speaker, line.text)]
    texts += [text for item in items for text in (item.who, item.text)]
    return Choices(
        lines=range(1, len(part) + 1),
        ids=[item.id for item in items],
        speakers=_named(line.speaker for line in part),
        dues=[due for line in part for due in dues_in(line.text)],
        source=Source.of(texts),
    )


def _named(speakers: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(speaker for speaker in speakers if speaker))


def _numbered(number: str, line: Sentence) -> str:
    return f"[{number}] {line.speaker}: {line.text}" if line.speaker else f"[{number}] {line.text}"


def _item_line(item: Item) -> str:
    about = ", ".join(part for part in (item.who, item.due) if part)
    return f'id "{item.id}" {item.kind}: {item.text}' + (f" ({about})" if about else "")
