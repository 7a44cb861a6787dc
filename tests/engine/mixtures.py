"""Any mixture of streams in any chunks, for the tests that must hold for all of them."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.engine.streams import Stream, tokens


@st.composite
def streams_of(draw: st.DrawFn, num_slots: int) -> Stream:
    num_sinks = draw(st.integers(0, min(6, num_slots - 1)))
    return Stream(
        num_sinks,
        num_discard=draw(st.just(1) | st.integers(1, num_slots - num_sinks)),
        token_ids=tokens(draw(st.integers(1, 90)), seed=draw(st.integers(0, 5))),
        joins_at=draw(st.integers(0, 4)),
        position_limit=draw(st.sampled_from([0, 60, 10_000])),
    )


@st.composite
def mixtures(draw: st.DrawFn) -> tuple[list[Stream], int, int, int]:
    """Streams, slots of a row, max_chunk, max_step_tokens."""
    num_slots = draw(st.integers(1, 24))
    streams = draw(st.lists(streams_of(num_slots), min_size=1, max_size=4))
    max_chunk = draw(st.sampled_from([1, 2, 5, 16, 40, 90]))
    return streams, num_slots, max_chunk, draw(st.integers(len(streams), 120))
