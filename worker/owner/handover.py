"""Streams on their way from this worker to another.

A stream goes when it can be saved: between two lines, with nothing left to compute. Its lease is
given back, and whoever is to have it is told. For a while it is not taken up here again: the others
are asked to adopt whatever has no owner.
"""

from __future__ import annotations

from collections.abc import Callable

OnGiven = Callable[[str, str], None]
"""(stream, its next owner): it has no owner now."""


def nobody_is_told(_stream: str, _receiver: str) -> None:
    """A pipeline that runs without other workers moves nothing."""


class Handover:
    """Pure but for `on_given`: it is told the time."""

    def __init__(self, *, away_seconds: float):
        """away_seconds: for so long a stream that was given is not taken up here."""
        self.on_given: OnGiven = nobody_is_told
        self.is_draining = False
        self._away_seconds = away_seconds
        self._receivers: dict[str, str] = {}
        self._away_until: dict[str, float] = {}

    def begin(self, stream: str, receiver: str) -> None:
        self._receivers[stream] = receiver

    def gone(self, stream: str, now: float) -> None:
        """Its lease is given back; if it was on its way, its next owner is told."""
        receiver = self._receivers.pop(stream, None)
        if receiver is not None:
            self._away_until = {n: at for n, at in self._away_until.items() if at > now}
            self._away_until[stream] = now + self._away_seconds
            self.on_given(stream, receiver)

    def dropped(self, stream: str) -> None:
        """It is not ours any more for another reason."""
        self._receivers.pop(stream, None)

    def comes_back(self, stream: str) -> None:
        """Somebody gives it to this worker."""
        self._away_until.pop(stream, None)

    def may_adopt(self, stream: str, now: float) -> bool:
        return not self.is_draining and self._away_until.get(stream, now) <= now
