"""Times as people read them."""

from __future__ import annotations

from datetime import datetime, timezone

EPOCH_FROM_SECONDS = 1e8
"""Three years and more: no recording is as long, so it is a time since 1970."""


def clock(seconds: float) -> str:
    """`1:02:03`; a time since 1970 as date and time (UTC)."""
    if seconds >= EPOCH_FROM_SECONDS:
        return datetime.fromtimestamp(int(seconds), timezone.utc).strftime("%Y-%m-%d %H:%M:%S")
    sign, whole = "-" if seconds < 0 else "", int(abs(seconds))
    return f"{sign}{whole // 3600:d}:{whole // 60 % 60:02d}:{whole % 60:02d}"


def timestamp(seconds: float, point: str = ".") -> str:
    """`01:02:03.500`, as captions have it."""
    ms = max(0, round(seconds * 1000))
    hours, minutes = ms // 3_600_000, ms // 60_000 % 60
    return f"{hours:02d}:{minutes:02d}:{ms // 1000 % 60:02d}{point}{ms % 1000:03d}"
