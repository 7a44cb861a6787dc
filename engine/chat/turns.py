"""A conversation in a chat template's own form, one turn at a time.

The template is rendered around places for the texts and cut there, once. A user's text and the
template around it are then tokenised together, as the template itself would do it: with the
answers' tokens in between, what `first` and `next` keep is the whole conversation rendered. What is
asked may end otherwise: many templates put something before an answer (a thought, a channel) that
they leave out of the turns before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import takewhile

from engine.errors import ModelRefused
from engine.text.tokenizer import Tokenizer

# Stand for the texts while the template is rendered; the third user turn shows that the second
# had the form of every later one.
PLACES = tuple(f"WEIRPLACEOFTEXT{letter}" for letter in "ABCDE")
SYSTEM_PLACE = "WEIRPLACEOFTHESYSTEMTEXT"
# Between a system text that the template has no place for and the first user's text.
AFTER_SYSTEM = "\n\n"
# An answer's last letter. Without one, many tokenizers would put a space before what follows it.
ANCHOR = "x"


@dataclass(frozen=True)
class ChatForm:
    """What a template writes: opening USER closing ANSWER between USER closing ANSWER ...

    opening  one piece, or two around the system text
    closing  end of the user's turn and header of the answer. Where a template puts a space after
             that (Llama 2), the answer is expected to begin with it
    asking   the same before an answer that is still to come
    between  end of the answer, end token included, and header of the user's turn
    """

    opening: tuple[str, ...]
    closing: str
    asking: str
    between: str


@dataclass(frozen=True)
class Turn:
    """Tokens from one answer's last (or the pinned opening's) to the next answer's first.

    asked  as the model is asked
    kept   as the conversation is to remember it
    """

    asked: tuple[int, ...]
    kept: tuple[int, ...]

    @property
    def num_common(self) -> int:
        pairs = zip(self.asked, self.kept, strict=False)
        return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


class Turns:
    """Token ids of each turn; what people write never becomes one of the template's own tokens."""

    def __init__(self, tokenizer: Tokenizer, system: str | None = None) -> None:
        """ModelRefused says why a conversation cannot go on in this template's form."""
        self._tokenizer = tokenizer
        self._system = [] if system is None else [system.strip()]
        self._form = _cut(tokenizer, self._system)
        self._anchor = self._template_ids(ANCHOR)
        around = self._template_ids(ANCHOR + self._form.between + ANCHOR)
        if around[: len(self._anchor)] != self._anchor:
            raise ModelRefused("The chat template puts nothing between an answer and what follows.")

    @property
    def opening(self) -> list[int]:
        """All that comes before the first user's text. The text may change its last token."""
        return self._encode(*_woven(self._form.opening, self._system))

    def first(self, text: str) -> tuple[list[int], Turn]:
        """The opening, as far as it is the same for any text, and the rest of the first turn."""
        texts = [*self._system, text.strip()]
        asked, kept = (
            self._encode(*_woven([*self._form.opening, end], texts)) for end in self._ends
        )
        pairs = zip(asked, self.opening, strict=False)
        num_pinned = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
        return asked[:num_pinned], Turn(tuple(asked[num_pinned:]), tuple(kept[num_pinned:]))

    def next(self, text: str) -> Turn:
        """What comes between an answer's last token and the next answer's first."""
        begin = ANCHOR + self._form.between
        asked, kept = (self._encode(begin, text.strip(), end) for end in self._ends)
        num = len(self._anchor)
        return Turn(tuple(asked[num:]), tuple(kept[num:]))

    @property
    def _ends(self) -> tuple[str, str]:
        return self._form.asking, self._form.closing

    def _encode(self, *pieces: str) -> list[int]:
        """The template's pieces and people's texts in turn: as one, unless a text reads like a
        control token; then each for itself."""
        whole = self._template_ids("".join(pieces))
        alone = [
            self._tokenizer.encode(piece) if number % 2 else self._template_ids(piece)
            for number, piece in enumerate(pieces)
        ]
        controls = self._tokenizer.control_ids
        own = [id for ids in alone[::2] for id in ids if id in controls]
        is_tame = own == [id for id in whole if id in controls]
        return whole if is_tame else [id for ids in alone for id in ids]

    def _template_ids(self, text: str) -> list[int]:
        return self._tokenizer.encode_template(text)


def _woven(pieces: Sequence[str], texts: Sequence[str]) -> list[str]:
    """piece text piece text ... piece"""
    pairs = zip(pieces, [*texts, ""], strict=True)
    return [part for pair in pairs for part in pair][:-1]


def _cut(tokenizer: Tokenizer, system: Sequence[str]) -> ChatForm:
    template = tokenizer.template
    if template.source is None:
        bos = str(tokenizer.hf.bos_token or "")
        return ChatForm((bos, "\n") if system else (bos,), "\n", "\n", "\n")
    if not system:
        return _form(tokenizer, [], [])
    try:
        return _form(tokenizer, [SYSTEM_PLACE], system)
    except ModelRefused:  # no place for a system text, or elsewhere than before all turns
        alone = _form(tokenizer, [], [])
        return replace(alone, opening=(*alone.opening, AFTER_SYSTEM))


def _form(tokenizer: Tokenizer, places: Sequence[str], system: Sequence[str]) -> ChatForm:
    template = tokenizer.template
    *opening, header = _pieces(template.render(places, PLACES[:1]), [*places, PLACES[0]])
    with_system = _woven([*opening, header], [*system, PLACES[0]])
    if template.render(system, PLACES[:1]) != "".join(with_system):
        raise ModelRefused("The chat template rewrites the system prompt.")
    three_turns = _pieces(template.render(places, PLACES), [*places, *PLACES])
    closing, between = _remembered(three_turns, opening, header)
    return ChatForm(tuple(opening), closing, tokenizer.with_thought(header), between)


def _remembered(three_turns: list[str], opening: list[str], header: str) -> tuple[str, str]:
    """The pieces before and after each answer, if three turns have one form all along."""
    num = len(opening)
    start, (closing, between, *again, end) = three_turns[:num], three_turns[num:]
    if not (start == opening and again == [closing, between] and end == header):
        raise ModelRefused("The chat template rewrites earlier turns: a chat cannot go on with it.")
    is_alike = closing.startswith(header) and not closing[len(header) :].strip()
    return header if is_alike else closing, between


def _pieces(rendered: str, places: Sequence[str]) -> list[str]:
    """What is around the places, which must all be there and in this order."""
    pieces = []
    for place in places:
        piece, found, rendered = rendered.partition(place)
        if not found:
            raise ModelRefused("The chat template drops or changes what was said.")
        pieces.append(piece)
    return [*pieces, rendered]
