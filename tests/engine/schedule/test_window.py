"""Windows against naive models: a dictionary from slot to token, and a list that gets full."""

from hypothesis import given
from hypothesis import strategies as st

from engine.schedule.window import Window


@st.composite
def windows(draw: st.DrawFn) -> Window:
    num_recent = draw(st.integers(1, 20))
    num_discard = draw(st.just(1) | st.integers(1, num_recent))
    return Window(draw(st.integers(0, 8)), num_recent, num_discard)


far_away = st.integers(0, 2**62)


def slots_written_in_order(window: Window, num_tokens: int) -> dict[int, int]:
    row: dict[int, int] = {}
    for token in range(num_tokens):
        row[window.slot(token)] = token
    return row


def seen_by_the_last(window: Window, num_tokens: int) -> list[int]:
    """A list that loses the oldest after the sinks when a token comes and finds it full."""
    seen: list[int] = []
    for token in range(num_tokens):
        if len(seen) == window.size:
            del seen[window.num_sinks : window.num_sinks + window.num_discard]
        seen.append(token)
    return seen


@given(windows(), st.integers(0, 100))
def test_slot_tokens_are_what_writing_in_order_leaves(window: Window, num_tokens: int) -> None:
    row = slots_written_in_order(window, num_tokens)
    assert window.slot_tokens(num_tokens) == [row[slot] for slot in range(len(row))]


@given(windows(), st.integers(0, 100))
def test_written_slots_are_the_first_of_the_row(window: Window, num_tokens: int) -> None:
    row = slots_written_in_order(window, num_tokens)
    assert sorted(row) == list(range(window.num_slots(num_tokens)))


@given(windows(), far_away, st.integers(0, 28))
def test_runs_are_the_slots_of_consecutive_tokens(window: Window, first: int, length: int) -> None:
    tokens = range(first, first + min(length, window.size))
    runs = window.runs(tokens)
    slots = [slot for run in runs for slot in range(run.start, run.stop)]
    assert slots == [window.slot(token) for token in tokens]
    assert len(runs) <= 2 or window.num_recent < len(tokens)


@given(windows(), st.integers(1, 100))
def test_a_token_sees_the_sinks_and_what_has_not_left(window: Window, num_tokens: int) -> None:
    newest = num_tokens - 1
    sinks = range(min(window.num_sinks, num_tokens))
    recent = range(window.oldest(newest), num_tokens)
    assert [*sinks, *recent] == seen_by_the_last(window, num_tokens)


@given(windows(), st.integers(1, 100))
def test_a_token_stands_where_the_list_ends(window: Window, num_tokens: int) -> None:
    seen = seen_by_the_last(window, num_tokens)
    assert window.place(num_tokens - 1) == len(seen) - 1
    assert window.fill(num_tokens) == len(seen)
    assert window.num_slid_out(num_tokens) == num_tokens - len(seen)


@given(windows(), st.integers(1, 100))
def test_what_is_seen_is_in_the_row(window: Window, num_tokens: int) -> None:
    assert set(seen_by_the_last(window, num_tokens)) <= set(window.slot_tokens(num_tokens))


@given(windows(), st.integers(1, 100))
def test_the_newest_tokens_are_kept_at_any_time(window: Window, num_tokens: int) -> None:
    newest = range(max(0, num_tokens - window.num_kept), num_tokens)
    assert set(newest) <= set(seen_by_the_last(window, num_tokens))
    assert 1 <= window.num_kept <= window.num_recent


@given(windows(), far_away)
def test_new_token_takes_the_slot_of_one_that_has_left(window: Window, laps: int) -> None:
    token = window.size + laps
    before, after = window.slot_tokens(token), window.slot_tokens(token + 1)
    changed = [slot for slot in range(window.size) if before[slot] != after[slot]]
    assert changed == [window.slot(token)]
    assert before[changed[0]] == token - window.num_recent < window.oldest(token)


@given(windows(), far_away)
def test_a_window_of_single_tokens_stays_full(window: Window, token: int) -> None:
    assert Window(window.num_sinks, window.num_recent).place(token) == min(token, window.size - 1)


@given(windows(), st.integers(0, 30))
def test_more_sinks_leave_less_that_rolls(window: Window, num_sinks: int) -> None:
    num_sinks = min(num_sinks, window.size - 1)
    other = window.with_sinks(num_sinks)
    assert (other.num_sinks, other.size) == (num_sinks, window.size)
    assert 1 <= other.num_discard <= other.num_recent
