"""Who takes part in the next step, and with how many tokens. Integers only.

There is no prefill phase and no decode phase: every session whose computed tokens are behind its
seen tokens takes part. Sessions with one pending token go first (they are cheap and somebody
waits for them), then the others, those longest unserved first.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from engine.session import Session


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
    """Sessions in the order in which they were last served, longest ago first."""

    def __init__(self, max_chunk: int, max_step_tokens: int) -> None:
        self.max_chunk = max_chunk
        self.max_step_tokens = max_step_tokens
        self._sessions: list[Session] = []

    @property
    def sessions(self) -> tuple[Session, ...]:
        return tuple(self._sessions)

    @property
    def has_work(self) -> bool:
        return any(session.pending for session in self._sessions)

    def add(self, session: Session) -> None:
        self._sessions.append(session)

    def remove(self, session: Session) -> None:
        self._sessions.remove(session)

    def plan(self) -> list[Segment]:
        """The next step: single tokens by row, so that neighbours batch, then longer segments."""
        segments = self._share_out(self.max_step_tokens)
        served = {segment.session for segment in segments}
        self._sessions.sort(key=served.__contains__)
        return sorted(segments, key=_batching_order)

    def _share_out(self, budget: int) -> list[Segment]:
        segments: list[Segment] = []
        for session in sorted(self._waiting(), key=lambda session: session.num_pending > 1):
            if budget == 0:
                break
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


def _batching_order(segment: Segment) -> tuple[bool, int]:
    return segment.num_tokens > 1, segment.session.row
