"""Words are never lost: not to their own letters, and not to what is said about them."""

from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.intake.entries import (
    ABOUT_THE_TEXT,
    REJECTIONS,
    Entry,
    EntryLimits,
    Rejected,
    id_order,
    parse_entry,
)

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


@pytest.mark.parametrize("nothing", ["None", "null", "NaN", "nan", "undefined", "", " "])
@pytest.mark.parametrize("name", ABOUT_THE_TEXT)
def test_what_programs_print_for_nothing_is_absent(name: str, nothing: str) -> None:
    assert parse(text="hi", **{name: nothing}) == Entry("5-0", "hi")


@pytest.mark.parametrize("word", ["None", "null", "NaN", "undefined"])
def test_a_word_that_looks_like_nothing_is_a_word(word: str) -> None:
    assert parse(text=word) == Entry("5-0", word)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("start", b"soon"),
        ("start", b"9" * 500),
        ("end", b"1e999"),
        ("end", "٣".encode()),
        ("final", b"maybe"),
        ("end_of_stream", b"perhaps"),
        ("speaker", b"\xc3"),
        ("segment", b"\xff"),
        ("lang", b"\xff"),
    ],
)
def test_metadata_that_cannot_be_read_costs_no_word(name: str, value: bytes) -> None:
    as_it_came = value.decode("utf-8", "surrogateescape")
    assert parse(text="hi", **{name: value}) == Entry(
        "5-0", "hi", extra={f"input.{name}": as_it_came}, unread=(name,)
    )


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ({"transcript": "hi", "is_final": "false"}, Entry("5-0", "hi", final=False)),
        ({"text": "hi", "is_partial": "true"}, Entry("5-0", "hi", final=False)),
        ({"text": "hi", "message_type": "PartialTranscript"}, Entry("5-0", "hi", final=False)),
        ({"text": "hi", "start_time": "1.5", "end_time": "2"}, Entry("5-0", "hi", None, 1.5, 2.0)),
        ({"text": "hi", "startTime": "1.500s"}, Entry("5-0", "hi", start=1.5)),
        ({"text": "hi", "start_ms": "1500", "end_ms": "2000"}, Entry("5-0", "hi", None, 1.5, 2.0)),
        ({"text": "hi", "speaker_label": "spk_0"}, Entry("5-0", "hi", "spk_0")),
        ({"text": "hi", "language_code": "en"}, Entry("5-0", "hi", lang="en")),
        ({"text": "hi", "ResultId": "r1"}, Entry("5-0", "hi", segment="r1")),
    ],
)
def test_names_that_services_use_are_understood(theirs: dict[str, str], ours: Entry) -> None:
    assert parse(**theirs) == ours


@pytest.mark.parametrize(
    "other",
    [
        {"start_time": "soon"},
        {"message_type": "Transcript"},
        {"speaker_label": "None"},
        {"content": "x"},
        {"duration": "2"},
        {"transcript": "another"},
    ],
)
def test_a_name_of_theirs_that_says_nothing_here_goes_through(other: dict[str, str]) -> None:
    assert parse(text="hi", **other) == Entry("5-0", "hi", extra=other)


def test_our_name_counts_where_both_are_there() -> None:
    entry = parse(text="hi", speaker="Ana", speaker_label="spk_0", start="1", start_time="2")
    assert entry == Entry(
        "5-0", "hi", "Ana", 1.0, extra={"speaker_label": "spk_0", "start_time": "2"}
    )


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
    ],
)
def test_every_rejection_has_a_kind_to_count_it_by(
    fields: dict[str, str | bytes], kind: str
) -> None:
    rejected = parse(**fields)
    assert isinstance(rejected, Rejected)
    assert rejected.kind == kind


@given(
    st.dictionaries(st.sampled_from([b"text", b"final", b"start", b"x"]) | st.binary(), st.binary())
)
def test_any_bytes_are_read_or_rejected(fields: dict[bytes, bytes]) -> None:
    result = parse_entry("1-1", fields, LIMITS)
    assert result.id == "1-1"
    if isinstance(result, Rejected):
        assert result.reason and result.fields == fields and result.kind in REJECTIONS


@given(st.dictionaries(st.sampled_from([name.encode() for name in ABOUT_THE_TEXT]), st.binary()))
def test_a_text_is_taken_whatever_is_said_about_it(about: dict[bytes, bytes]) -> None:
    entry = parse_entry("1-1", {**about, b"text": b"hi"}, EntryLimits())
    assert isinstance(entry, Entry) and entry.text == "hi"
    for name in entry.unread:
        as_it_came = entry.extra[f"input.{name}"].encode("utf-8", "surrogateescape")
        assert as_it_came == about[name.encode()]


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
