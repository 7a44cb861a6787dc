"""Every key of a stream lies in the stream's cluster slot, and no two streams share a key."""

from __future__ import annotations

from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.crc import key_slot

from worker.keyspace.keys import StreamKeys, cluster_slot, is_own_key, stream_keys

# Few letters, so that braces, colons and our own words meet in every way.
_names = st.lists(
    st.sampled_from(["{", "}", ":", "a", "b", "1", "weir", "state", "transcript", "é"]), max_size=9
).map("".join) | st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


def _outputs(stream: str) -> list[str]:
    return [key for name, key in asdict(stream_keys(stream)).items() if name != "stream"]


def test_a_plain_name_becomes_the_tag() -> None:
    assert stream_keys("live:standup").transcript == "weir:{live:standup}:transcript"


def test_a_tag_of_its_own_comes_first() -> None:
    assert stream_keys("user:{42}:talk").state == "weir:{42}:user:{42}:talk:state"


@pytest.mark.parametrize("stream", ["", "}", "a}b", "}{", "a{}b", "{}{x}"])
def test_a_name_that_cannot_be_a_tag_still_shares_its_slot(stream: str) -> None:
    assert {key_slot(key.encode()) for key in _outputs(stream)} == {key_slot(stream.encode())}


@given(_names)
def test_all_keys_of_a_stream_share_its_slot(stream: str) -> None:
    slots = {key_slot(key.encode()) for key in _outputs(stream)}
    assert slots == {key_slot(stream.encode())} == {cluster_slot(stream)}


@given(st.lists(_names, unique=True, min_size=2, max_size=12))
def test_no_two_streams_share_a_key(streams: list[str]) -> None:
    keys = [key for stream in streams for key in _outputs(stream)]
    assert len(set(keys)) == len(keys)


@given(_names, _names)
def test_an_input_that_imitates_our_keys_gets_keys_of_its_own(stream: str, other: str) -> None:
    imitation = stream_keys(stream).transcript
    assert not set(_outputs(imitation)) & {*_outputs(stream), *_outputs(other), imitation}


@given(_names)
def test_every_output_is_known_as_our_own(stream: str) -> None:
    assert all(is_own_key(key) for key in _outputs(stream))


def test_every_kind_of_key_is_named_once() -> None:
    assert len(set(_outputs("live:a"))) == len(StreamKeys.__dataclass_fields__) - 1
