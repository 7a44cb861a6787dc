"""A conversation in a chat template's own form, one turn at a time.

The template is rendered around places for the texts and cut there, once. A user's text and the
template around it are then tokenised together, as the template itself would do it: with the
answers' tokens in between, `first` and `next` give the tokens of the whole conversation rendered.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

from jinja2 import TemplateError

from engine.errors import ModelRefused
from engine.text.tokenizer import Tokenizer

# Stand for the texts while the template is rendered; the third user turn shows that the second
# had the form of every later one.
PLACES = tuple(f"WEIRPLACEOFTEXT{letter}" for letter in "ABCDE")
SYSTEM_PLACE = "WEIRPLACEOFTHESYSTEMTEXT"
# An answer's last letter. Without one, many tokenizers would put a space before what follows it.
ANCHOR = "x"


@dataclass(frozen=True)
class ChatForm:
    """What a template writes: opening USER closing ANSWER between USER closing ANSWER ...

    opening  one piece, or two around the system text
    closing  end of the user's turn and header of the answer. Where a template puts a space after
             that (Llama 2), the answer is expected to begin with it
    between  end of the answer, end token included, and header of the user's turn
    """

    opening: tuple[str, ...]
    closing: str
    between: str


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

    def first(self, text: str) -> tuple[list[int], list[int]]:
        """The opening, as far as it is the same for any text, and the rest of the first turn."""
        texts = [*self._system, text.strip()]
        ids = self._encode(*_woven([*self._form.opening, self._form.closing], texts))
        pairs = zip(ids, self.opening, strict=False)
        num_pinned = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
        return ids[:num_pinned], ids[num_pinned:]

    def next(self, text: str) -> list[int]:
        """What comes between an answer's last token and the next answer's first."""
        ids = self._encode(ANCHOR + self._form.between, text.strip(), self._form.closing)
        return ids[len(self._anchor) :]

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
        ids: list[int] = self._tokenizer.hf(text, add_special_tokens=False)["input_ids"]
        return ids


def _woven(pieces: Sequence[str], texts: Sequence[str]) -> list[str]:
    """piece text piece text ... piece"""
    pairs = zip(pieces, [*texts, ""], strict=True)
    return [part for pair in pairs for part in pair][:-1]


def _cut(tokenizer: Tokenizer, system: Sequence[str]) -> ChatForm:
    if tokenizer.hf.chat_template is None:
        bos = str(tokenizer.hf.bos_token or "")
        return ChatForm((bos, "\n") if system else (bos,), "\n", "\n")
    places = [SYSTEM_PLACE for _ in system]
    *opening, closing = _pieces(_rendered(tokenizer, places, PLACES[:1]), [*places, PLACES[0]])
    with_system = _woven([*opening, closing], [*system, PLACES[0]])
    if _rendered(tokenizer, system, PLACES[:1]) != "".join(with_system):
        raise ModelRefused("The chat template rewrites the system prompt.")
    three_turns = _pieces(_rendered(tokenizer, places, PLACES), [*places, *PLACES])
    return ChatForm(tuple(opening), closing, _between(three_turns, opening, closing))


def _between(three_turns: list[str], opening: list[str], closing: str) -> str:
    """The piece after each answer, if three turns have the form of one turn all along."""
    num = len(opening)
    start, (header, between, *again, end) = three_turns[:num], three_turns[num:]
    is_kept = header.startswith(closing) and not header[len(closing) :].strip()
    if not (is_kept and start == opening and again == [header, between] and end == closing):
        raise ModelRefused("The chat template rewrites earlier turns: a chat cannot go on with it.")
    return between


def _pieces(rendered: str, places: Sequence[str]) -> list[str]:
    """What is around the places, which must all be there and in this order."""
    pieces = []
    for place in places:
        piece, found, rendered = rendered.partition(place)
        if not found:
            raise ModelRefused("The chat template drops or changes what was said.")
        pieces.append(piece)
    return [*pieces, rendered]


def _rendered(tokenizer: Tokenizer, system: Sequence[str], texts: Sequence[str]) -> str:
    """The template around these texts, of user and assistant in turn."""
    roles = ["user", "assistant"] * len(texts)
    messages = [{"role": "system", "content": text} for text in system]
    messages += [{"role": role, "content": t} for role, t in zip(roles, texts, strict=False)]
    try:
        return str(
            tokenizer.hf.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        )
    except TemplateError as error:
        line = " ".join(str(error).split())
        raise ModelRefused(f"The chat template refuses such a chat ({line[:200]}).") from error
