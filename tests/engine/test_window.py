"""Windows against a naive model: a dictionary from slot to token."""

from hypothesis import given
from hypothesis import strategies as st

from engine.window import Window

windows = st.builds(Window, st.integers(0, 8), st.integers(1, 20))
far_away = st.integers(0, 2**62)


def slots_written_in_order(window: Window, num_tokens: int) -> dict[int, int]:
    row: dict[int, int] = {}
    for token in range(num_tokens):
        row[window.slot(token)] = token
    return row


@given(windows, st.integers(0, 100))
def test_slot_tokens_are_what_writing_in_order_leaves(window: Window, num_tokens: int) -> None:
    row = slots_written_in_order(window, num_tokens)
    assert window.slot_tokens(num_tokens) == [row[slot] for slot in range(len(row))]


@given(windows, st.integers(0, 100))
def test_fill_counts_the_first_slots(window: Window, num_tokens: int) -> None:
    row = slots_written_in_order(window, num_tokens)
    assert sorted(row) == list(range(window.fill(num_tokens)))


@given(windows, st.integers(1, 100))
def test_row_holds_sinks_and_recent_and_nothing_else(window: Window, num_tokens: int) -> None:
    newest = num_tokens - 1
    sinks = range(min(window.num_sinks, num_tokens))
    recent = range(max(window.num_sinks, newest - window.num_recent + 1), num_tokens)
    assert sorted(window.slot_tokens(num_tokens)) == [*sinks, *recent]


@given(windows, st.integers(0, 100))
def test_every_token_is_in_the_window_or_has_slid_out(window: Window, num_tokens: int) -> None:
    assert window.fill(num_tokens) + window.num_slid_out(num_tokens) == num_tokens


@given(windows, far_away)
def test_new_token_takes_the_slot_of_the_one_that_leaves(window: Window, laps: int) -> None:
    token = window.size + laps
    before, after = window.slot_tokens(token), window.slot_tokens(token + 1)
    changed = [slot for slot in range(window.size) if before[slot] != after[slot]]
    assert changed == [window.slot(token)]
    assert before[changed[0]] == token - window.num_recent


@given(windows, far_away)
def test_distance_to_the_sinks_stops_growing_with_the_window(window: Window, token: int) -> None:
    assert window.sink_reader(token) == min(token, window.size - 1)
