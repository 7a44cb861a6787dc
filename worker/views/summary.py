"""The rolling summary of one stream: the previous summary and what is new, in; the next one, out.

Invariant: every token before `covered` was in full view of some summary; the next summary begins at
`covered`. The range that a summary names is the entries whose tokens it covered.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from engine import Session, Tokenizer
from worker.intake.cadence import Cadence
from worker.intake.feed import Feed, Line
from worker.views.draft import Draft, Drafts, Written, answer
from worker.views.instructions import Instructions
from worker.views.quotes import Chosen, Quote, Quotes

MAY_GO_ON = ("tokens", "window")  # reasons that come in the middle of a sentence
NUM_SPARE = 8  # tokens: the previous summary may tokenise a little longer inside the prompt


@dataclass(frozen=True)
class Writing:
    """A summary being made: it will reach position `upto`. kept: to quote from, the next time."""

    draft: Draft | Written
    kept: tuple[Quote, ...]
    upto: int
    first: str
    last: str
    reason: str
    started_at: float  # seconds, the pipeline's clock
    text: str | None = None  # once it is there
    num_seconds: float = 0.0  # that it took


class Summariser:
    """Asks for summaries, on one engine, for all streams: it holds no stream's state."""

    def __init__(
        self, drafts: Drafts, instructions: Instructions, *, max_tokens: int, quotes: Quotes | None
    ):
        """quotes: what was said instead of the model's own words."""
        self._drafts = drafts
        self._engine = drafts.engine
        self._instructions = instructions
        self._quotes = quotes
        self.max_tokens = max_tokens

    @property
    def in_quotes(self) -> bool:
        """Whether nothing is written that was not said."""
        return self._quotes is not None

    @property
    def num_reserved(self) -> int:
        """Room in the window for the longest prompt, thought and answer, in tokens."""
        thought = self._engine.config.thought_tokens
        return len(self.prompt("")) + thought + 2 * self.max_tokens + NUM_SPARE

    def prompt(self, previous: str | None) -> list[int]:
        tokenizer = self._engine.tokenizer
        instruction = self._instructions.summarise
        if previous is not None:
            short = _last_tokens(tokenizer, previous, self.max_tokens)
            instruction = self._instructions.summarise_on.format(summary=short)
        return tokenizer.encode(f"\n\n{instruction}") + list(tokenizer.chat_parts().suffix)

    def draft(
        self, stream: Session, so_far: Chosen, lines: Sequence[Line], *, goes_on: bool
    ) -> tuple[Draft | Written, tuple[Quote, ...]]:
        """The summary and what is kept to quote from. lines: what is new since `so_far`. Raises
        what `Drafts.on_copy` does."""
        if self._quotes is not None:
            chosen = self._quotes.choose(so_far.kept, lines, goes_on=goes_on)
            return Written(chosen.text), chosen.kept
        prompt = self.prompt(so_far.text or None)
        return self._drafts.on_copy(stream, prompt, answer(self._engine, self.max_tokens)), ()


class Summary:
    """One stream's rolling summary."""

    def __init__(
        self, summariser: Summariser, cadence: Cadence, state: dict[str, Any], *, now: float
    ):
        """state: what `to_json` gave, or {"covered": position where the text begins}."""
        self._summariser = summariser
        self._cadence = cadence
        self.covered: int = state["covered"]
        self._text: str = state.get("text", "")
        self._kept = tuple(Quote(*quote) for quote in state.get("kept", ()))
        self._is_final: bool = state.get("final", False)
        self._last_at = now
        self._writing: Writing | None = None

    @property
    def is_writing(self) -> bool:
        return self._writing is not None

    def due(self, num_seen: int, now: float) -> str | None:
        if self.is_writing:
            return None
        uncovered = num_seen - self.covered
        if uncovered == 0:
            self._last_at = now  # the clock of the cadence starts with the first new token
        return self._cadence.due(num_uncovered=uncovered, seconds_since=now - self._last_at)

    def room(self, num_seen: int) -> int:
        """Tokens that may be fed before a summary must be published or begun."""
        upto = self._writing.upto if self._writing else None
        return self._cadence.room(num_seen=num_seen, covered=self.covered, being_covered=upto)

    def begin(self, session: Session, feed: Feed, reason: str, now: float) -> None:
        """Starts the summary of all that `session` has seen; its tokens must all be computed.

        Raises what `Drafts.on_copy` does.
        """
        first, last = feed.entry_at(self.covered), feed.entry_at(session.num_seen - 1)
        lines = feed.lines(self.covered, session.num_seen - 1)
        so_far = Chosen(self._text, self._kept)
        draft, kept = self._summariser.draft(session, so_far, lines, goes_on=reason in MAY_GO_ON)
        self._writing = Writing(draft, kept, session.num_seen, first, last, reason, now)

    def collect(self, now: float) -> bool:
        """Takes the text when it is done, so that its row is free; whether it is there. One that
        was lost on the way is begun anew, as it was due."""
        writing = self._writing
        if writing is not None and writing.text is None and writing.draft.is_done:
            text, num_seconds = writing.draft.finish(), now - writing.started_at
            done = replace(writing, text=text, num_seconds=num_seconds)
            self._writing = writing = None if text is None else done
        return writing is not None and writing.text is not None

    def finish(self, now: float) -> dict[str, str]:
        """The fields of the summary that was collected, which counts from here on."""
        writing, self._writing = self._writing, None
        assert writing is not None and writing.text is not None  # noqa: S101
        self._last_at = now
        # An empty answer says that nothing is to be added; the summary so far then still holds.
        self._text, self._kept = writing.text.strip() or self._text, writing.kept
        num_tokens, self.covered = writing.upto - self.covered, writing.upto
        self._is_final = writing.reason == "end"
        return {
            "text": self._text,
            "first": writing.first,
            "last": writing.last,
            "tokens": str(num_tokens),
            "reason": writing.reason,
            "seconds": f"{writing.num_seconds:.3f}",
        }

    def repeat(self, entry: str) -> dict[str, str]:
        """The last summary once more, for a stream that ends with nothing new to cover."""
        self._is_final = True
        fields = {"text": self._text, "first": entry, "last": entry, "tokens": "0"}
        return fields | {"reason": "end", "seconds": "0.000"}

    @property
    def owes_the_last(self) -> bool:
        """Whether a stream that ends now has had summaries, but none that is marked final."""
        return bool(self._text) and not self._is_final

    def to_json(self) -> dict[str, Any]:
        state = {"covered": self.covered, "text": self._text, "final": self._is_final}
        return state | {"kept": [[quote.speaker, quote.text] for quote in self._kept]}

    def close(self) -> None:
        if self._writing:
            self._writing.draft.close()
        self._writing = None


def _last_tokens(tokenizer: Tokenizer, text: str, num_tokens: int) -> str:
    ids = tokenizer.encode(text)
    return text if len(ids) <= num_tokens else tokenizer.decode(ids[-num_tokens:])
