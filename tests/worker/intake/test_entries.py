"""An entry is read whole or rejected whole, with the reason; letters are never lost."""

from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.intake.entries import REJECTIONS, Entry, EntryLimits, Rejected, id_order, parse_entry

LIMITS = EntryLimits(max_bytes=1000, max_fields=8)


def parse(**fields: str | bytes) -> Entry | Rejected:
    raw = {k.encode(): v.encode() if isinstance(v, str) else v for k, v in fields.items()}
    return parse_entry("5-0", raw, LIMITS)


def reason(**fields: str | bytes) -> str:
    rejected = parse(**fields)
    assert isinstance(rejected, Rejected)
    return rejected.reason


def test_all_fields_are_read() -> None:
    entry = parse(
        text="Good morning.",
        speaker="Ana",
        start="1.5",
        end="2",
        segment="s1",
        final="0",
        lang="en",
    )
    assert entry == Entry("5-0", "Good morning.", "Ana", 1.5, 2.0, "s1", False, "en", False, {})


def test_text_alone_is_enough() -> None:
    assert parse(text="hi") == Entry("5-0", "hi")


def test_what_has_no_meaning_here_is_kept_as_it_came() -> None:
    entry = parse(text="hi", room=" 4\n", Text="other", blob=b"\xff\x00")
    assert isinstance(entry, Entry)
    kept = {name: value.encode("utf-8", "surrogateescape") for name, value in entry.extra.items()}
    assert kept == {"room": b" 4\n", "Text": b"other", "blob": b"\xff\x00"}


@pytest.mark.parametrize("yes", ["1", "true", "True", "yes"])
def test_the_end_needs_no_text(yes: str) -> None:
    assert parse(end_of_stream=yes) == Entry("5-0", "", end_of_stream=True)


def test_an_empty_optional_field_is_absent() -> None:
    assert parse(text="hi", speaker="", start="", final=" ") == Entry("5-0", "hi")


def test_line_breaks_become_spaces_and_other_controls_go() -> None:
    entry = parse(text="\ufefffirst\r\nsecond\x00\x1b[1m\tthird\u2028")
    assert isinstance(entry, Entry)
    assert entry.text == "first  second[1m third"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, "no text: the field is missing"),
        ({"Text": "hi"}, "no text: the field is missing"),
        ({"text": " \n\x00 "}, "no text: the field is empty"),
        ({"text": "", "end_of_stream": "0"}, "no text: the field is empty"),
        ({"text": b"ab\xff"}, "text is not UTF-8 (byte 2)"),
        ({"text": "hi", "speaker": b"\xc3"}, "speaker is not UTF-8 (byte 0)"),
        ({"text": "hi", "start": "soon"}, "start='soon' is not a number of seconds"),
        ({"text": "hi", "end": "nan"}, "end='nan' is not a number of seconds"),
        ({"text": "hi", "end": "1e999"}, "end='1e999' is not a number of seconds"),
        ({"text": "hi", "start": "1_0"}, "start='1_0' is not a number of seconds"),
        ({"text": "hi", "start": "٣"}, "start='٣' is not a number of seconds"),
        ({"text": "hi", "final": "maybe"}, "final='maybe' is not 0, 1, true or false"),
        ({"text": "x" * 997}, "too big: 1001 bytes, at most 1000 are read"),
        (
            {"text": "x", **{f"f{n}": "" for n in range(8)}},
            "too many fields: 9, at most 8 are read",
        ),
    ],
)
def test_bad_entries_are_rejected_with_the_reason(
    fields: dict[str, str | bytes], expected: str
) -> None:
    assert reason(**fields) == expected


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({}, "no_text"),
        ({"text": b"\xff"}, "not_utf8"),
        ({"text": "x" * 1000}, "too_big"),
        ({"text": "hi", "final": "maybe"}, "wrong_type"),
    ],
)
def test_every_rejection_has_a_kind_to_count_it_by(
    fields: dict[str, str | bytes], kind: str
) -> None:
    rejected = parse(**fields)
    assert isinstance(rejected, Rejected)
    assert rejected.kind == kind


def test_a_reason_quotes_no_more_than_a_little() -> None:
    assert len(reason(text="hi", start="9" * 500 + "x")) < 150


@given(
    st.dictionaries(st.sampled_from([b"text", b"final", b"start", b"x"]) | st.binary(), st.binary())
)
def test_any_bytes_are_read_or_rejected(fields: dict[bytes, bytes]) -> None:
    result = parse_entry("1-1", fields, LIMITS)
    assert result.id == "1-1"
    if isinstance(result, Rejected):
        assert result.reason and result.fields == fields and result.kind in REJECTIONS


@given(st.text(st.characters(exclude_categories=["Cs"])).filter(str.strip))
def test_text_keeps_everything_but_controls_and_blanks(text: str) -> None:
    entry = parse_entry("1-1", {b"text": text.encode()}, EntryLimits())
    shown = [
        c for c in text if unicodedata.category(c) != "Cc" and c != "\ufeff" and not c.isspace()
    ]
    if isinstance(entry, Rejected):
        assert not shown
    else:
        assert [c for c in entry.text if not c.isspace()] == shown
        assert not any(unicodedata.category(c) == "Cc" for c in entry.text)


@given(st.dictionaries(st.binary(), st.binary(max_size=5000)))
def test_a_rejected_entry_is_republished_in_a_bound(fields: dict[bytes, bytes]) -> None:
    shown = Rejected("1-1", "no text", fields).republished()
    assert shown["entry_id"] == "1-1" and shown["reason"] == "no text"
    assert len(shown["raw"].encode("utf-8")) <= 4 * 2048


def test_a_small_rejected_entry_is_republished_whole() -> None:
    raw = Rejected("1-1", "no text", {b"Text": b"hi\xff"}).republished()["raw"]
    assert json.loads(raw) == {"Text": "hi\\xff"}


def test_ids_sort_as_numbers() -> None:
    ids = ["10-0", "9-1", "9-10", "9-2", "5"]
    assert sorted(ids, key=id_order) == ["5", "9-1", "9-2", "9-10", "10-0"]


def test_what_turns_the_direction_of_writing_goes() -> None:
    turns = [chr(code) for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))]
    assert parse(text=f"ab{''.join(turns)}c שלום", speaker="\u202eAna") == Entry(
        "5-0", "abc שלום", "Ana"
    )
