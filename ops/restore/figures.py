"""All figures of the card: every restorer on the same held-out entries, and how fast it is."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import torch

from engine.restore.passage import Passage
from engine.restore.punctuator import Punctuator
from ops.restore.baselines import unrestored, usual
from ops.restore.evaluate import (
    ENTRY_WORDS,
    NUM_AFTER,
    Restore,
    by_place,
    figures,
    restored,
    streams_of,
)
from ops.restore.labels import Word
from ops.restore.old import by_language_model
from ops.restore.prepare import Sample

NUM_OLD_STREAMS, NUM_OLD_WORDS = 8, 10 * ENTRY_WORDS
MAX_STREAMS = 16  # of each kind of text: some 11,000 words
NUM_TIMED = 30


def all_figures(folder: Path, kinds: dict[str, Sample], *, old: Path | None) -> dict[str, Any]:
    punctuator = Punctuator.load(folder)
    found: dict[str, Any] = {}
    for kind, sample in kinds.items():
        streams = spread(streams_of(sample.measuring), MAX_STREAMS)
        found[kind] = {
            "words": sum(map(len, streams)),
            "encoder": _of(streams, punctuator.restore, NUM_AFTER),
            "encoder, nothing after": _of(streams, punctuator.restore, 0),
            "usual": _of(streams, usual(sample.learnt), NUM_AFTER),
            "unrestored": _of(streams, unrestored, 0),
        }
        if old is not None:
            few = [stream[:NUM_OLD_WORDS] for stream in spread(streams, NUM_OLD_STREAMS)]
            found[kind]["old"] = _of(few, by_language_model(old), 0)
            found[kind]["encoder, same entries as old"] = _of(few, punctuator.restore, 0)
    return {**found, "speed": speed(punctuator, streams_of(next(iter(kinds.values())).measuring))}


def spread(streams: list[list[Word]], num_streams: int) -> list[list[Word]]:
    """So many of them, from all places."""
    return streams[:: max(1, len(streams) // num_streams)][:num_streams]


def _of(streams: list[list[Word]], restore: Restore, num_after: int) -> dict[str, Any]:
    words = list(restored(streams, restore, num_after=num_after))
    return {**figures(words), "by place": by_place(words)}


def speed(punctuator: Punctuator, streams: list[list[Word]]) -> dict[str, float]:
    """Words of many streams' entries in a second of one core's time, whoever else has it in
    between; milliseconds of one entry alone, at best."""
    size = ENTRY_WORDS
    passages = [
        Passage(raw[i : i + size], raw[max(0, i - 20) : i], raw[i + size : i + size + NUM_AFTER])
        for raw in (tuple(word.raw for word in stream) for stream in streams[:10])
        for i in range(0, len(raw) - size, size)
    ]
    punctuator.restore(passages[:32])
    alone = min(_seconds(punctuator, passage) for passage in passages[:NUM_TIMED])
    num_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    began = time.process_time()
    punctuator.restore(passages)
    together = time.process_time() - began
    torch.set_num_threads(num_threads)
    return {
        "words_per_core_second": round(len(passages) * size / together),
        "milliseconds_alone": round(1000 * alone, 1),
    }


def _seconds(punctuator: Punctuator, passage: Passage) -> float:
    began = time.perf_counter()
    punctuator.restore([passage])
    return time.perf_counter() - began
