"""Is a token as cheap, and memory as small, at a million tokens as at a thousand?"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from engine.bench.interleaved import Advance, Spread, Work, run_interleaved
from engine.bench.machine import resident_bytes
from engine.bench.run_size import CHUNK, OLD_TOKENS, YOUNG_TOKENS, RunSize
from engine.bench.subject import Subject, feed
from engine.schedule.session import Session

YOUNG = "young"
OLD = "old"
NUM_STRETCHES = 10


@dataclass(frozen=True)
class Memory:
    """Bytes that the KV tensors really take, and resident bytes of the process."""

    kv_bytes: int
    resident_bytes: int


@dataclass(frozen=True)
class Age:
    """How old the old session is: tokens that it is really fed, on a counter set to `start`."""

    num_fed: int
    start: int = 0


@dataclass(frozen=True)
class LongRun:
    """A session of YOUNG_TOKENS beside an old one.

    Forks of both are fed interleaved, in the same row. `stretch_speeds`: tokens per second on the
    way there, one figure for each tenth of it.
    """

    age: Age
    old_counter: int
    young_tokens_per_second: float
    old_tokens_per_second: float
    time_old_against_young: Spread
    stretch_speeds: tuple[float, ...]
    kv_bytes_by_formula: int
    memory_young: Memory
    memory_old: Memory


def choose_age(
    run_size: RunSize, num_asked: int | None, *, is_aimed: bool, tokens_per_second: float
) -> Age:
    """What was asked for; else OLD_TOKENS if aimed at and in time; else a sample of them."""
    if num_asked is not None:
        return Age(num_asked)
    if is_aimed and run_size.feed_seconds * tokens_per_second >= OLD_TOKENS:
        return Age(OLD_TOKENS)
    return Age(run_size.sample_tokens, start=OLD_TOKENS - run_size.sample_tokens)


def num_long_run_tokens(run_size: RunSize, age: Age) -> int:
    """Of how many tokens `measure_long_run` tells `advance`."""
    return age.num_fed + run_size.level_rounds * _tokens_per_round(run_size)


def measure_long_run(subject: Subject, run_size: RunSize, age: Age, advance: Advance) -> LongRun:
    with subject.session_of(YOUNG_TOKENS) as young, subject.session_of(0, age.start) as old:
        memory_young = _memory(subject)
        speeds = tuple(_feed_in_stretches(subject, old, age.num_fed, advance))
        memory_old = _memory(subject)
        measured = run_interleaved(
            {
                YOUNG: partial(_feeding_a_fork, subject, young, run_size),
                OLD: partial(_feeding_a_fork, subject, old, run_size),
            },
            run_size.level_rounds,
            advance=lambda rounds: advance(rounds * _tokens_per_round(run_size)),
        )
        return LongRun(
            age=age,
            old_counter=old.num_seen,
            young_tokens_per_second=measured.tokens_per_second(YOUNG),
            old_tokens_per_second=measured.tokens_per_second(OLD),
            time_old_against_young=measured.ratio(OLD, YOUNG),
            stretch_speeds=speeds,
            kv_bytes_by_formula=kv_bytes_by_formula(subject),
            memory_young=memory_young,
            memory_old=memory_old,
        )


def _tokens_per_round(run_size: RunSize) -> int:
    return 2 * run_size.chunks_per_turn * CHUNK


def kv_bytes_by_formula(subject: Subject) -> int:
    """rows x slots x layers x key-value heads x (key + value) x head dim x bytes of a number."""
    config, shape = subject.engine.config, subject.engine.model.hf.config.get_text_config()
    num_heads = shape.num_attention_heads
    num_kv_heads = getattr(shape, "num_key_value_heads", None) or num_heads
    head_dim = getattr(shape, "head_dim", None) or shape.hidden_size // num_heads
    num_slots = config.num_rows * (config.num_sinks + config.num_recent)
    numbers_per_slot = 2 * int(shape.num_hidden_layers * num_kv_heads * head_dim)
    return num_slots * numbers_per_slot * subject.engine.model.dtype.itemsize


def _memory(subject: Subject) -> Memory:
    store = subject.engine._store  # the tensors themselves: what they take, not what is reported
    kv_bytes = sum(tensor.untyped_storage().nbytes() for tensor in store.tensors.values())
    return Memory(kv_bytes, resident_bytes())


def _feed_in_stretches(
    subject: Subject, session: Session, num_tokens: int, advance: Advance
) -> Iterator[float]:
    """Feed and drop `num_tokens`; the speed of each tenth."""
    ends = [num_tokens * (i + 1) // NUM_STRETCHES for i in range(NUM_STRETCHES)]
    for begin, end in zip([0, *ends], ends, strict=False):
        started = time.perf_counter()
        for first in range(begin, end, CHUNK):
            count = min(CHUNK, end - first)
            feed(subject.engine, session, subject.tokens(count, seed=first))
            advance(count)
        yield (end - begin) / (time.perf_counter() - started)


@contextmanager
def _feeding_a_fork(subject: Subject, session: Session, run_size: RunSize) -> Iterator[Work]:
    token_ids = subject.tokens(run_size.chunks_per_turn * CHUNK)
    with subject.fork_of(session) as fork:
        yield lambda: feed(subject.engine, fork, token_ids)
