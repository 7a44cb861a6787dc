"""How fast an engine feeds and decodes here, in half a minute: for a plan, not for a table."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from engine.bench.subject import feed, random_tokens
from engine.engine import Engine
from engine.schedule.generation import GenerateRequest

SECONDS_EACH = 10.0
MOST_TOGETHER = 16
# Longer than any measurement: it is closed when the time is over.
MANY_TOKENS = 10**9


@dataclass(frozen=True)
class Speeds:
    """Tokens a second; `num_together` streams decode at once."""

    fed: float
    decoded: float
    decoded_together: float
    num_together: int

    def streams_of(self, tokens_per_second: float, *, written_per_token: float) -> float:
        """How many streams of so many tokens a second can be read, with so much written."""
        seconds = 1 / self.fed + written_per_token / self.decoded_together
        return 1 / (tokens_per_second * seconds)


def measure_speeds(
    engine: Engine,
    *,
    seconds: float = SECONDS_EACH,
    clock: Callable[[], float] = time.perf_counter,
) -> Speeds:
    """With full windows, as streams have them after their first minutes."""
    num_together = max(1, min(MOST_TOGETHER, engine.config.num_rows - 1))
    session = engine.open()
    chunk = engine.config.max_chunk
    tokens = random_tokens(engine.model, engine.window.size)
    feed(engine, session, tokens, chunk)

    def decoding(num_streams: int) -> float:
        forks = [engine.fork(session) for _ in range(num_streams)]
        for fork in forks:
            engine.generate(fork, tokens[:1], GenerateRequest(MANY_TOKENS))
        engine.step()  # what is compiled once is
        rate = _rate(lambda: engine.step().num_generated, seconds, clock)
        for fork in forks:
            engine.close(fork)
        return rate

    fed = _rate(lambda: feed(engine, session, tokens[:chunk], chunk), seconds, clock)
    alone = decoding(1)
    together = decoding(num_together) if num_together > 1 else alone
    engine.close(session)
    return Speeds(fed, alone, together, num_together)


def _rate(work: Callable[[], int], seconds: float, clock: Callable[[], float]) -> float:
    """`work` says how many tokens it dealt with."""
    num_tokens, started = 0, clock()
    while True:
        num_tokens += work()
        took = clock() - started
        if took >= seconds:
            return num_tokens / took
