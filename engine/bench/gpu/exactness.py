"""Whether a device computes the same: its logits against the processor's, in float32.

The engine on the processor is what the tests hold against an independent reference; the weights are
the same, widened.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import torch
from torch import Tensor

from engine.bench.gpu.costs import Costs
from engine.bench.gpu.shapes import Shape, random_model
from engine.bench.gpu.subject import Subject
from engine.model.lone_stream import LoneStream
from engine.model.model import StreamingModel
from engine.schedule.generation import GenerateRequest
from engine.schedule.scheduler import Segment, in_batching_order
from engine.schedule.session import Session
from engine.schedule.window import Window

NUM_STREAMS = 3
NUM_WINDOWS = 3
NUM_DECODED = 24
# Tokens of a stream in a step, over and over; every stream begins elsewhere in the list.
UNEVEN_CHUNKS = (1, 7, 256, 64, 1, 129, 33)
# The last tokens come one by one, from all streams together.
NUM_LAST_SINGLES = 16
REFERENCE_CHUNK = 256


@dataclass(frozen=True)
class Exactness:
    """Over `num_streams` streams of `num_tokens` tokens each, in one store.

    max_difference      of logits, in uneven chunks side by side, from the reference's
    own_difference      of the model's own attention on the same device, while it is right: before
                        the window is full
    decoded_short_by    of decoded tokens: how far the reference's logit lies below its best
    logits_deviation    of the reference's logits, for comparison
    """

    model: str
    dtype: str
    num_streams: int
    num_tokens: int
    max_difference: float
    own_difference: float
    decoded_short_by: float
    logits_deviation: float


def measure_exactness(
    shape: Shape, dtype: torch.dtype, window: Window, device: torch.device
) -> Exactness:
    hf = random_model(shape, dtype, device)
    widened: Any = copy.deepcopy(hf)
    reference = StreamingModel(widened.to("cpu", torch.float32))
    costs = Costs.of(hf)
    model = StreamingModel(hf)
    model.pack()
    subject = Subject(shape.name, model.kv_format.name, model, costs)
    return compare(subject, reference, window)


def compare(subject: Subject, reference: StreamingModel, window: Window) -> Exactness:
    texts = [subject.tokens(NUM_WINDOWS * window.size, seed) for seed in range(NUM_STREAMS)]
    decoded = _decoded(subject, texts, window)
    streamed = _streamed(subject.model, texts, window)
    own = subject.model.dense_logits(texts[0][: window.size]).cpu()
    max_difference = own_difference = short_by = deviation = 0.0
    for number, (text, answer, logits) in enumerate(zip(texts, decoded, streamed, strict=True)):
        right = _reference(reference, [*text, *answer[:-1]], window)
        max_difference = max(max_difference, _difference(logits, right[: len(text)]))
        short_by = max(short_by, _short_by(answer, right[len(text) - 1 :]))
        if number == 0:
            own_difference = _difference(own, right[: len(own)])
            deviation = float(right.std())
    return Exactness(
        subject.name,
        str(subject.model.dtype).removeprefix("torch."),
        len(texts),
        len(texts[0]),
        max_difference,
        own_difference,
        short_by,
        deviation,
    )


def _decoded(subject: Subject, texts: Sequence[list[int]], window: Window) -> list[list[int]]:
    """What follows each text: the whole engine, all streams in the same steps."""
    engine = subject.engine_for_decoding(window, len(texts))
    sessions = [engine.open() for _ in texts]
    for session, text in zip(sessions, texts, strict=True):
        engine.generate(session, text, GenerateRequest(NUM_DECODED))
    while engine.has_work and any(session.is_generating for session in sessions):
        engine.step()
    return [session.generated for session in sessions]


def _streamed(
    model: StreamingModel, texts: Sequence[Sequence[int]], window: Window
) -> list[Tensor]:
    """(T, vocab) float32 logits of every text, on the CPU."""
    store = model.new_store(len(texts), window.size)
    limit = model.position_limit(window)
    sessions = [Session(row, window, position_limit=limit) for row in range(len(texts))]
    logits: dict[Session, list[Tensor]] = {session: [] for session in sessions}
    pieces = [list(_pieces(text, number)) for number, text in enumerate(texts)]
    for together in zip_longest(*pieces, fillvalue=()):
        segments = in_batching_order(
            [
                Segment(session, session.length, tuple(piece), wants_logits=False)
                for session, piece in zip(sessions, together, strict=True)
                if piece
            ]
        )
        computed = model.compute(segments, store, all_logits=True).float().cpu()
        sizes = [segment.num_tokens for segment in segments]
        for segment, part in zip(segments, torch.split(computed, sizes), strict=True):
            logits[segment.session].append(part)
            segment.session.feed(segment.token_ids)
            segment.session.advance(segment.num_tokens)
    return [torch.cat(logits[session]) for session in sessions]


def _pieces(text: Sequence[int], number: int) -> Iterator[Sequence[int]]:
    start, stop = 0, len(text) - NUM_LAST_SINGLES
    while start < stop:
        size = UNEVEN_CHUNKS[number % len(UNEVEN_CHUNKS)]
        yield text[start : min(start + size, stop)]
        start, number = start + size, number + 1
    yield from ([token] for token in text[stop:])


def _reference(model: StreamingModel, text: Sequence[int], window: Window) -> Tensor:
    stream = LoneStream(model, window)
    starts = range(0, len(text), REFERENCE_CHUNK)
    return torch.cat([stream.feed(text[start : start + REFERENCE_CHUNK]) for start in starts])


def _difference(ours: Tensor, right: Tensor) -> float:
    return float((ours - right).abs().max())


def _short_by(answer: Sequence[int], right: Tensor) -> float:
    """`right` (decoded, vocab): the logits that each token of `answer` was picked from."""
    picked = right.gather(1, torch.tensor(answer).unsqueeze(1)).squeeze(1)
    return float((right.amax(dim=1) - picked).max())
