"""A file is known by what is in it, and nothing is taken for speech that is not.

Every file in samples/ holds the same three sentences, in the shape in which one program or service
writes them. So the truth is known for each: these words, of these two people, at these times.
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.formats.catalogue import FORMATS
from worker.formats.pace import times
from worker.formats.reading import Reading, read_file
from worker.formats.rows import BadFile

SAMPLES = Path(__file__).parent / "samples"

SAID = [
    "Good morning, the river is at four metres.",
    "Then we open the gate at noon.",
    "Agreed.",
]
TIMES = [(1.0, 3.5), (4.0, 6.25), (7.5, 9.0)]
NAMES = ["Ana Silva", "Bo Lund", "Ana Silva"]
EXACT, SECONDS, NONE = "to the millisecond", "whole seconds at the start", "none"
STARTS = "to the hundredth, at the start"

# file: (format, who speaks: names, labels or nobody, times)
SHAPES = {
    "plain.txt": ("text", None, NONE),
    "timed.txt": ("marked", NAMES, SECONDS),
    "otter.txt": ("marked", NAMES, SECONDS),
    "names.txt": ("text", ["Ana Silva"] * 3, NONE),
    "audacity.txt": ("marked", None, EXACT),
    "song.lrc": ("marked", None, STARTS),
    "rev.txt": ("marked", NAMES, SECONDS),
    "whisper.tsv": ("table", None, EXACT),
    "table.csv": ("table", NAMES, EXACT),
    "lines.jsonl": ("jsonl", NAMES, EXACT),
    "services_names.jsonl": ("jsonl", NAMES, EXACT),
    "milliseconds.jsonl": ("jsonl", NAMES, EXACT),
    "deepgram_live.jsonl": ("jsonl", "010", EXACT),
    "azure_sdk.jsonl": ("jsonl", None, EXACT),
    "entries.json": ("json", NAMES, EXACT),
    "faster_whisper.json": ("whisper", None, EXACT),
    "plain.srt": ("srt", None, EXACT),
    "marked_up.srt": ("srt", None, EXACT),
    "old_mac.srt": ("srt", None, EXACT),
    "utf16.srt": ("srt", None, EXACT),
    "packed.srt.gz": ("srt", None, EXACT),
    "whisperx.srt": ("srt", ["SPEAKER_00", "SPEAKER_01", "SPEAKER_00"], EXACT),
    "zoom.vtt": ("vtt", NAMES, EXACT),
    "teams.vtt": ("vtt", NAMES, EXACT),
    "meet.vtt": ("vtt", NAMES, EXACT),
    "notes.vtt": ("vtt", None, EXACT),
    "youtube.sbv": ("sbv", None, EXACT),
    "whisper.json": ("whisper", None, EXACT),
    "whisperx.json": ("whisper", ["SPEAKER_00", "SPEAKER_01", "SPEAKER_00"], EXACT),
    "whisper_cpp.json": ("whisper", None, EXACT),
    "openai_verbose.json": ("whisper", None, EXACT),
    "openai_diarized.json": ("whisper", "ABA", EXACT),
    "transformers.json": ("whisper", None, EXACT),
    "deepgram_utterances.json": ("deepgram", "010", EXACT),
    "deepgram_paragraphs.json": ("deepgram", "010", EXACT),
    "deepgram_words.json": ("deepgram", "010", EXACT),
    "assemblyai_speakers.json": ("assemblyai", "ABA", EXACT),
    "assemblyai_words.json": ("assemblyai", None, EXACT),
    "aws_segments.json": ("aws", ["spk_0", "spk_1", "spk_0"], EXACT),
    "aws_speakers.json": ("aws", ["spk_0", "spk_1", "spk_0"], EXACT),
    "aws_words.json": ("aws", None, EXACT),
    "google_v1.json": ("google", None, EXACT),
    "google_v1_speakers.json": ("google", "121", EXACT),
    "google_v2_batch.json": ("google", "121", EXACT),
    "aws_calls.json": ("aws", ["AGENT", "CUSTOMER", "AGENT"], EXACT),
    "aws_channels.json": ("aws", None, EXACT),
    "deepgram_channels.json": ("deepgram", None, EXACT),
    "google_python.json": ("google", None, EXACT),
    "google_answers.json": ("google", None, EXACT),
    "assemblyai_utterances.json": ("assemblyai", "ABA", EXACT),
    "whisper_segments.json": ("whisper", None, EXACT),
    "speechmatics.json": ("speechmatics", ["S1", "S2", "S1"], EXACT),
    "elevenlabs.json": ("elevenlabs", ["speaker_0", "speaker_1", "speaker_0"], EXACT),
    "ibm.json": ("ibm", None, EXACT),
    "ibm_speakers.json": ("ibm", "010", EXACT),
    "rev.json": ("rev", "010", EXACT),
    "gladia.json": ("gladia", "010", EXACT),
    "youtube.json": ("youtube", None, EXACT),
    "youtube_list.json": ("json", None, EXACT),
    "vosk.jsonl": ("jsonl", None, EXACT),
    "teams_data.vtt": ("vtt", NAMES, EXACT),
    "azure_batch.json": ("azure", "121", EXACT),
    "azure_fast.json": ("azure", "121", EXACT),
}
APART = {"latin1.txt", "meet.txt", "teams.txt", "whisper_screen.txt", "youtube.vtt"}


def sample(name: str) -> Reading:
    return read_file((SAMPLES / name).read_bytes())


def texts(reading: Reading) -> list[str]:
    return [fields["text"].strip() for fields in reading.entries]


def test_every_sample_is_tried() -> None:
    assert {path.name for path in SAMPLES.iterdir()} == SHAPES.keys() | APART


@pytest.mark.parametrize("name", SHAPES)
def test_a_file_is_known_by_what_is_in_it(name: str) -> None:
    format, speakers, when = SHAPES[name]
    reading = sample(name)
    assert (reading.format, list(reading.left_out)) == (format, [])
    assert texts(reading) == SAID
    expected = [None] * 3 if speakers is None else list(speakers)
    assert [fields.get("speaker") for fields in reading.entries] == expected
    found = [times(fields) for fields in reading.entries]
    if when == EXACT:
        assert found == [pytest.approx(time) for time in TIMES]
    elif when == STARTS:
        assert [start for start, _ in found] == [start for start, _ in TIMES]
    elif when == SECONDS:
        assert [start for start, _ in found] == [1.0, 4.0, 7.0]
    else:
        assert found == [(None, None)] * 3


@pytest.mark.parametrize("name", SHAPES)
def test_the_format_that_is_said_reads_the_same(name: str) -> None:
    data = (SAMPLES / name).read_bytes()
    assert read_file(data, SHAPES[name][0]).entries == read_file(data).entries


def test_every_format_has_a_sample() -> None:
    assert {format for format, _, _ in SHAPES.values()} == FORMATS.keys()


@pytest.mark.parametrize(
    "name", ["whisper.json", "whisperx.json", "whisper_cpp.json", "openai_verbose.json"]
)
def test_the_language_is_a_code(name: str) -> None:
    assert {fields["lang"] for fields in sample(name).entries} == {"en"}


def test_rolling_captions_are_said_once() -> None:
    reading = sample("youtube.vtt")
    assert texts(reading) == SAID
    assert [times(fields)[0] for fields in reading.entries] == [1.0, 4.0, 7.5]


def test_what_meet_writes_around_a_transcript_is_not_said() -> None:
    reading = sample("meet.txt")
    assert texts(reading) == SAID
    assert [fields["speaker"] for fields in reading.entries] == NAMES
    assert [times(fields)[0] for fields in reading.entries] == [1.0, None, 300.0]


@pytest.mark.parametrize(
    ("name", "num_lines", "when"),
    [("teams.txt", 4, (1.0, 1.0)), ("whisper_screen.txt", 2, TIMES[0])],
)
def test_what_programs_write_around_a_talk_is_not_said_and_is_told(
    name: str, num_lines: int, when: tuple[float, float]
) -> None:
    reading = sample(name)
    assert texts(reading) == SAID and times(reading.entries[0]) == when
    assert [one.is_fault for one in reading.left_out] == [False] * num_lines


def test_an_encoding_from_before_unicode_is_found_and_named() -> None:
    reading = sample("latin1.txt")
    assert "mètres" in texts(reading)[0] and reading.encoding == "cp1252"


ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("line_break", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("name", ["plain.txt", "plain.srt", "notes.vtt", "lines.jsonl"])
def test_encodings_and_line_breaks_change_nothing(
    name: str, line_break: str, encoding: str
) -> None:
    text = (SAMPLES / name).read_text("utf-8").replace("\n", line_break)
    data = text.encode(encoding)
    assert read_file(data).entries == sample(name).entries
    assert read_file(gzip.compress(data)).entries == sample(name).entries


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "has no text"),
        (b"\n \n", "has no text"),
        (b"%PDF-1.7 ...", "it is PDF, not text"),
        (b"PK\x03\x04 ...", "it is a zip archive (as .docx is), not text"),
        (b"ID3\x04\x00\x00", "it is sound"),
        (b"\x00\x00\x00\x20ftypM4A ", "it is video or sound"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\x01\x02\x03", "it is not text"),
        (b"\x1f\x8b\x08\x00broken", "it is damaged"),
        (b"<?xml version='1.0'?><tt><p>Hi</p></tt>", "no format that is known"),
        (b"<!DOCTYPE html><p>Hi</p>", "no format that is known"),
        (b"[Script Info]\nTitle: x\n", "no format that is known"),
        (b"{1}{25}Hi\n", "no format that is known"),
        (b"start,end,price\n1,2,3\n", "no format that is known"),
        (b'{"name": "weir", "version": 1}', "no format that is known"),
        (b'{\n "text": "hi",\n', "it begins like JSON, and is not"),
        (b"WEBVTT\n\nNOTE nothing but this\n", "taken for WebVTT captions and nothing is said"),
        (b'{"results": {"channels": [{"alternatives": []}]}}', "nothing is said in it"),
    ],
)
def test_what_is_not_speech_is_refused_in_one_line(data: bytes, why: str) -> None:
    with pytest.raises(BadFile) as refusal:
        read_file(data)
    assert why in str(refusal.value) and "\n" not in str(refusal.value)


def test_a_refusal_names_what_is_known() -> None:
    with pytest.raises(BadFile) as refusal:
        read_file(b'{"name": "weir"}')
    assert all(f"({name})" in str(refusal.value) for name in FORMATS)


@pytest.mark.parametrize("format", [name for name, one in FORMATS.items() if one.is_json])
@pytest.mark.parametrize(
    "content", ["[]", "3", "null", '{"results": 3}', '[["text"]]', '{"a": {}}']
)
def test_json_that_is_not_as_said_is_refused(format: str, content: str) -> None:
    try:
        reading = read_file(content.encode(), format)
    except BadFile:
        return
    assert not reading.entries and reading.left_out


NAMES_IN_JSON = [
    *("text", "transcript", "words", "start", "end", "speaker", "id", "entries", "chunks"),
    *("results", "channels", "alternatives", "utterances", "items", "segments", "timestamp"),
    *("channel", "start_time", "Transcript", "speaker_labels", "channel_labels", "offsets"),
    *("monologues", "elements", "events", "segs", "tStartMs", "type", "value", "result_index"),
    *("timestamps", "speaker_labels", "from", "seconds", "nanos", "turn_order", "Transcript"),
    *("result", "transcription", "word", "duration", "transcripts", "Content", "isFinal"),
    *("recognizedPhrases", "nBest", "offset", "phrases", "RecognitionStatus"),
]
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(NAMES_IN_JSON), inner, max_size=4)
    ),
    max_leaves=25,
)


@given(JSON, st.sampled_from(sorted(FORMATS)))
def test_any_json_is_read_or_refused(value: object, format: str) -> None:
    for named in (None, format):
        try:
            reading = read_file(json.dumps(value).encode(), named)
        except BadFile:
            continue
        assert all(fields.get("text", "").strip() for fields in reading.entries)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        reading = read_file(data)
    except BadFile:
        return
    assert reading.entries or reading.left_out


def test_bytes_that_are_damaged_here_and_there_cost_no_other() -> None:
    text = "Привет, как дела сегодня? Вода высокая."
    data = text.encode().replace("дела".encode(), b"\xff")
    reading = read_file(data)
    assert texts(reading) == [text.replace("дела", "\ufffd")]
    assert reading.encoding == "utf-8, 1 bytes of it damaged"
