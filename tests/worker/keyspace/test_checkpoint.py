"""A checkpoint reads back as it was written."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from worker.keyspace.checkpoint import Checkpoint

_ids = st.tuples(st.integers(0, 2**63), st.integers(0, 2**63)).map(lambda id: f"{id[0]}-{id[1]}")
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)

checkpoints = st.builds(
    Checkpoint,
    entry_id=_ids,
    entries_read=st.integers(0),
    status=st.sampled_from(["live", "parked", "closed"]),
    tokens_seen=st.integers(0),
    snapshot=st.text(st.characters(exclude_categories=["Cs"])),
    request_id=_ids,
    views=st.dictionaries(st.text(), _json, max_size=3),
    num_commits=st.integers(1),
)


@given(checkpoints)
def test_reads_back_from_text_and_from_bytes(checkpoint: Checkpoint) -> None:
    stored = checkpoint.to_fields()
    as_bytes = {name.encode(): value.encode() for name, value in stored.items()}
    assert Checkpoint.from_fields(stored) == Checkpoint.from_fields(as_bytes) == checkpoint


def test_a_state_with_only_an_epoch_is_the_initial_checkpoint() -> None:
    assert Checkpoint.from_fields({b"epoch": b"3"}) == Checkpoint()
