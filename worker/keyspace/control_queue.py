"""The list in which control messages lie, oldest last, until they are done.

Nobody takes a message away to do it: whoever does it looks at it first (a move from the list's end
to its end) and removes it when it is done. So of two messages the later is looked at by nobody
before the earlier is done, however many workers look, and a worker that dies loses none. One that
two workers did at the same time must come to the same as if one had.
"""

from __future__ import annotations

from collections.abc import Sequence

from redis import Redis

PEEK = "BLMOVE"

_GATHER = """
for at = 2, #KEYS do
  while redis.call('LMOVE', KEYS[at], KEYS[1], 'RIGHT', 'LEFT') do end
end
"""

# The list of what was set aside may be anything: somebody else wrote to it. Then only its count and
# the log tell of a message, but it is gone.
_SET_ASIDE = """
if redis.call('LREM', KEYS[1], -1, ARGV[1]) == 0 then return 0 end
local shown = string.sub(ARGV[1], 1, ARGV[5])
redis.pcall('XADD', KEYS[2], 'MAXLEN', '~', ARGV[2], '*',
  'reason', ARGV[3], 'detail', ARGV[4], 'bytes', #ARGV[1], 'message', shown)
return 1
"""

_MAX_SET_ASIDE = 1000
_MAX_SHOWN_BYTES = 4096


class ControlQueue:
    """One queue, by its key; what is set aside goes to the stream `aside`."""

    def __init__(self, redis: Redis, key: str, *, aside: str) -> None:
        self._redis = redis
        self._key = key
        self._aside = aside
        self._gather = redis.register_script(_GATHER)
        self._set_aside = redis.register_script(_SET_ASIDE)

    def peek_command(self, block_seconds: float) -> tuple[str | float, ...]:
        """Replies with the oldest message as soon as there is one, and leaves it where it is."""
        return (PEEK, self._key, self._key, "RIGHT", "RIGHT", block_seconds)

    def gather(self, others: Sequence[str]) -> None:
        """Move what lies in these lists into this one: order is worth more than priorities."""
        self._gather(keys=[self._key, *others])

    def remove(self, message: bytes) -> bool:
        """It is done. False if somebody else removed it."""
        return bool(self._redis.lrem(self._key, -1, message))  # type: ignore[arg-type]

    def set_aside(self, message: bytes, *, reason: str, detail: str) -> bool:
        """It is not done, and never will be. False if somebody else removed it."""
        limits = (_MAX_SET_ASIDE, reason, detail, _MAX_SHOWN_BYTES)
        return bool(self._set_aside(keys=[self._key, self._aside], args=[message, *limits]))
