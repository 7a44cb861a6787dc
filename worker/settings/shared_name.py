"""Names of what workers share on a server."""

from __future__ import annotations

import hashlib

from worker.settings.config import Settings


def name_for_patterns(name: str, settings: Settings) -> str:
    """`name`, with a mark for patterns of one's own: workers that look for other keys share a
    server, and neither take each other's messages nor keep each other from looking."""
    if settings.pattern == Settings.model_fields["pattern"].default:
        return name
    patterns = ",".join(sorted(settings.patterns))
    return f"{name}.{hashlib.blake2b(patterns.encode(), digest_size=4).hexdigest()}"
