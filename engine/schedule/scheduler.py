"""Which sessions take part in the next step, and with how many tokens. Integers only.

There is no prefill phase and no decode phase: every session whose computed tokens are behind its
seen tokens takes part, as far as there are rows to lend. Sessions that decode go first (a token is
cheap, and somebody waits for it), then the others, those longest unserved first. To have a row
already is no privilege: whoever is always busy starves nobody.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from engine.schedule.session import Session


@dataclass(frozen=True)
class Segment:
    """The tokens that one session brings to a step; `first` is the number of the first of them."""

    session: Session
    first: int
    token_ids: tuple[int, ...]
    wants_logits: bool

    @property
    def num_tokens(self) -> int:
        return len(self.token_ids)


class Scheduler:
    """`session.served_at` is the number of the last step that it took part in, or of the last
    step before it was added."""

    def __init__(self, max_chunk: int, max_step_tokens: int) -> None:
        self.max_chunk = max_chunk
        self.max_step_tokens = max_step_tokens
        self._num_steps = 0
        self._sessions: dict[Session, None] = {}

    @property
    def sessions(self) -> tuple[Session, ...]:
        return tuple(self._sessions)

    @property
    def num_sessions(self) -> int:
        return len(self._sessions)

    def __contains__(self, session: Session) -> bool:
        return session in self._sessions

    @property
    def has_work(self) -> bool:
        return any(session.pending for session in self._sessions)

    def add(self, session: Session) -> None:
        session.served_at = self._num_steps
        self._sessions[session] = None

    def remove(self, session: Session) -> None:
        del self._sessions[session]

    def plan(self, num_lendable: int) -> list[Segment]:
        """The next step. `num_lendable`: rows whose sessions need not stay (`must_stay`)."""
        segments = self._share_out(self.max_step_tokens, num_lendable)
        if segments:
            self._num_steps += 1
        for segment in segments:
            segment.session.served_at = self._num_steps
        return segments

    def _share_out(self, budget: int, num_lendable: int) -> list[Segment]:
        segments: list[Segment] = []
        for session in sorted(self._waiting(), key=_service_order):
            if budget == 0:
                break
            if not session.must_stay:
                if num_lendable == 0:
                    continue
                num_lendable -= 1
            num_tokens = min(session.num_pending, self.max_chunk, budget)
            segments.append(_segment(session, num_tokens))
            budget -= num_tokens
        return segments

    def _waiting(self) -> Iterable[Session]:
        return (session for session in self._sessions if session.pending)


def _segment(session: Session, num_tokens: int) -> Segment:
    is_last = num_tokens == session.num_pending
    return Segment(
        session,
        session.length,
        tuple(session.pending[:num_tokens]),
        wants_logits=session.is_generating and is_last,
    )


def in_batching_order(segments: Sequence[Segment]) -> list[Segment]:
    """Single tokens by row, so that neighbours batch, then longer segments. All have a row."""
    return sorted(segments, key=_batching_order)


def _service_order(session: Session) -> tuple[bool, int]:
    is_decoding = session.must_stay and session.num_pending == 1
    return not is_decoding, session.served_at


def _batching_order(segment: Segment) -> tuple[bool, int]:
    return segment.num_tokens > 1, segment.session.row
