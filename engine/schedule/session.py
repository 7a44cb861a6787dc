"""One stream of tokens and the row it is lent. Integers only."""

from __future__ import annotations

from collections.abc import Sequence

from engine.errors import EngineError, SessionLost
from engine.schedule.generation import GenerateRequest, Generation
from engine.schedule.window import Window


class Session:
    """Tokens accepted, tokens computed, and what is being generated.

    Tokens are numbered from 0 inside the session; `start` is only added to the counters that
    outsiders read. The model is given position `token - base`, which stays small: see `rebase`.
    """

    def __init__(
        self, row: int | None, window: Window, *, start: int = 0, position_limit: int = 0
    ) -> None:
        """Past `position_limit`, two windows at least, the base moves: see `rebase`."""
        self.assigned_row = row
        self.window = window
        self.start = start
        self.position_limit = max(position_limit, 2 * window.size)
        self.base = 0
        self.length = 0
        self.pending: list[int] = []
        self.generation: Generation | None = None
        self.is_closed = False
        self.is_lost = False
        self.served_at = 0  # number of the last step that it took part in

    @property
    def row(self) -> int:
        """Where its keys and values are. EngineError while it is parked."""
        if self.assigned_row is None:
            raise EngineError("The session is parked: it has no row.")
        return self.assigned_row

    @property
    def must_stay(self) -> bool:
        """Whether it is in the middle of an answer: moving it now would cost a move a token."""
        return self.assigned_row is not None and self.is_generating

    @property
    def num_seen(self) -> int:
        """Tokens accepted, computed or not, generated ones included; counts from `start`."""
        return self.num_computed + len(self.pending)

    @property
    def num_computed(self) -> int:
        """Tokens whose keys and values are in the row, or have been; counts from `start`."""
        return self.start + self.length

    @property
    def num_pending(self) -> int:
        return len(self.pending)

    @property
    def num_slid_out(self) -> int:
        """Tokens that were in the window and are not any more."""
        return self.window.num_slid_out(self.length)

    @property
    def window_fill(self) -> int:
        """Tokens that the last computed token saw, itself included."""
        return self.window.fill(self.length)

    @property
    def num_slots(self) -> int:
        """Slots of the row that hold something."""
        return self.window.num_slots(self.length)

    @property
    def generated(self) -> list[int]:
        """Output of the current or last generation."""
        return self.generation.token_ids if self.generation else []

    @property
    def thoughts(self) -> list[int]:
        """What was thought on the way to it."""
        return self.generation.thought_ids if self.generation else []

    @property
    def is_generating(self) -> bool:
        return self.generation is not None and self.generation.finish_reason is None

    @property
    def finish_reason(self) -> str | None:
        """One of "stop", "length", "constraint", "interrupted"; None until the first has ended."""
        return self.generation.finish_reason if self.generation else None

    def feed(self, token_ids: Sequence[int]) -> None:
        self.require_open()
        if self.is_generating:
            raise EngineError("The session is generating: feed it when it has finished, or a fork.")
        self.pending.extend(token_ids)

    def generate(self, prompt: Sequence[int], request: GenerateRequest) -> None:
        self.feed(prompt)
        if not self.pending:
            raise EngineError("Nothing to continue from: give a prompt of at least one token.")
        self.generation = Generation(request)

    def advance(self, num_tokens: int) -> None:
        """`num_tokens` pending tokens have been computed."""
        del self.pending[:num_tokens]
        self.length += num_tokens

    def accept(self, token_id: int) -> None:
        """A token has been sampled: it is pending like any other, and so is what must follow it,
        unless it ends the text."""
        if self.generation is None:
            raise EngineError("The session is not generating.")
        self.pending.extend(self.generation.accept(token_id))

    def interrupt(self) -> None:
        """End the running generation, if there is one; what has been generated stays."""
        if self.generation is not None and self.is_generating:
            self.generation.finish_reason = "interrupted"

    def copy_to(self, row: int | None) -> Session:
        """The same past in another row, or in none yet; nothing pending."""
        copy = Session(row, self.window, start=self.start, position_limit=self.position_limit)
        copy.base, copy.length = self.base, self.length
        return copy

    def rebase(self) -> int:
        """Move `base` if the next token is past the limit; return how far.

        After a move it stands where a window that has just filled up would put it, so that the
        keys in the ring keep positions >= 0. The limit is at least two windows: a key has left
        before it could be turned a second time.
        """
        if self.length - self.base <= self.position_limit:
            return 0
        move = self.length - (self.window.size - 1) - self.base
        self.base += move
        return move

    def lose(self) -> None:
        """What has been computed is gone: there is nothing left to do but to close it."""
        self.interrupt()
        self.pending.clear()
        self.is_lost = True

    def require_open(self) -> None:
        if self.is_closed:
            raise EngineError("The session is closed.")
        if self.is_lost:
            raise SessionLost("What the session had computed is lost: close it, open another.")
