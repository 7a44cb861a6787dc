"""What something costs a server and this process."""

from __future__ import annotations

import time
from dataclasses import dataclass

from redis import Redis


@dataclass(frozen=True)
class Cost:
    """commands: as the server counts them, those inside scripts too. Seconds are processor time:
    the server's, and that of whoever asked it."""

    commands: float
    server_seconds: float
    our_seconds: float = 0.0

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.commands + other.commands,
            self.server_seconds + other.server_seconds,
            self.our_seconds + other.our_seconds,
        )

    def __sub__(self, other: Cost) -> Cost:
        return self + -1 * other

    def __rmul__(self, number: float) -> Cost:
        return Cost(number * self.commands, number * self.server_seconds, number * self.our_seconds)

    def __truediv__(self, number: float) -> Cost:
        return 1 / number * self


class Meter:
    """`lap` is what was done since the last one."""

    def __init__(self, redis: Redis):
        self._redis = redis
        self._last = self._now()

    def lap(self) -> Cost:
        last, self._last = self._last, self._now()
        return self._last - last

    def _now(self) -> Cost:
        told = self._redis.info()
        return Cost(
            told["total_commands_processed"],
            told["used_cpu_user"] + told["used_cpu_sys"],
            time.process_time(),
        )


def used_bytes(redis: Redis) -> int:
    return int(redis.info("memory")["used_memory"])
