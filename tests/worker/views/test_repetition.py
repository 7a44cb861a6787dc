"""An answer never goes in circles, and is otherwise free."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from worker.views.repetition import NUM_TOKENS, NoRepetition


@given(st.lists(st.integers(0, 3), max_size=60))
def test_exactly_the_tokens_that_would_repeat_a_run_are_refused(wished: list[int]) -> None:
    constraint, written = NoRepetition(frozenset({4})), []
    for token_id in wished:
        runs = {tuple(written[i : i + NUM_TOKENS]) for i in range(len(written) - NUM_TOKENS + 1)}
        repeats = tuple([*written, token_id][-NUM_TOKENS:]) in runs
        assert (token_id in constraint.allowed().ids) is repeats
        assert 4 not in constraint.allowed().ids, "it may always end"
        if not repeats:
            constraint.accept(token_id)
            written.append(token_id)
