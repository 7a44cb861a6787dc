"""Which talk is published: what can be read, what is refused, what can be asked for."""

from __future__ import annotations

import argparse
import io
import json
import math
from pathlib import Path

import pytest

from worker.demo.options import DemoOptions, add_arguments
from worker.demo.talk import BadTalk, read_talk


def written(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_json_lines_are_fields_and_other_lines_are_text(tmp_path: Path) -> None:
    talk = read_talk(
        written(
            tmp_path / "talk.txt",
            "  A plain line  \r\n"
            "\n"
            '{"text": "Moves.", "speaker": "Ruben", "start": 1, "end": 2.5, "room": ["a"]}\n',
        )
    )
    assert talk[0].fields["text"] == "A plain line"
    about = {"speaker": "Ruben", "start": "1", "end": "2.5", "room": '["a"]'}
    assert talk[1].fields == {"text": "Moves.", **about, "end_of_stream": "1"}
    assert talk[1].end >= talk[0].end


def test_a_talk_begins_at_nought_whenever_its_file_does(tmp_path: Path) -> None:
    captions = "1\n01:00:00,000 --> 01:00:02,000\nHi.\n\n2\n01:00:03,000 --> 01:00:05,500\nHo.\n"
    talk = read_talk(written(tmp_path / "talk.srt", captions))
    assert [(one.fields["text"], one.end) for one in talk] == [("Hi.", 2.0), ("Ho.", 5.5)]


def test_only_the_last_utterance_ends_the_stream(tmp_path: Path) -> None:
    rows = [{"text": f"Line {n}.", "end_of_stream": "1"} for n in range(3)]
    talk = read_talk(written(tmp_path / "t.jsonl", "\n".join(json.dumps(row) for row in rows)))
    assert ["end_of_stream" in utterance.fields for utterance in talk] == [False, False, True]


def test_the_shipped_talk_can_be_read() -> None:
    assert len(read_talk(None)) > 200


def test_standard_input_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"Guten Tag.\n")))
    assert read_talk("-")[0].fields["text"] == "Guten Tag."


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", "has no text"),
        ("\n \n", "has no text"),
        ('Fine.\n{"not": json\n', "line 2: not a JSON object"),
        ('{"speaker": "Ruben"}', "no format that is known"),
        ('{"text": "Yes."}\n{"speaker": "Ruben"}', "line 2: no text"),
        ('{"text": "\\ud800"}', "entry 1: half a character"),
        ('{"text": "Yes.", "end": ' + "9" * 5000 + "}", "a number with too many digits"),
        ('{"text": ' + "[" * 100_000, "nested too deep"),
        ('{"text": "Per", "segment": "7", "final": 0}', "entry 1: final=0"),
    ],
)
def test_a_bad_talk_is_refused_with_its_place(tmp_path: Path, content: str, complaint: str) -> None:
    with pytest.raises(BadTalk, match=r"t\.txt") as refusal:
        read_talk(written(tmp_path / "t.txt", content))
    assert complaint in str(refusal.value)


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "talk.bin"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadTalk, match="is damaged"):
        read_talk(str(path))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadTalk, match="No such file"):
        read_talk(str(tmp_path / "nothing"))


def parsed(*arguments: str) -> DemoOptions:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return DemoOptions.of(parser.parse_args(arguments))


def test_options_without_any_are_the_defaults() -> None:
    assert parsed() == DemoOptions()


def test_options_are_read() -> None:
    options = parsed(
        "--file", "-", "--speed", "max", "--streams", "4", "--keep", "--plain", "--model", "m"
    )
    assert options == DemoOptions("-", math.inf, 4, True, True, "m")


@pytest.mark.parametrize(
    "arguments",
    [("--speed", "0"), ("--speed", "nan"), ("--speed", "fast"), ("--streams", "0"),
     ("--streams", "33"), ("--streams", "²")],
)  # fmt: skip
def test_a_wrong_value_is_named(
    arguments: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        parsed(*arguments)
    assert repr(arguments[1]) in capsys.readouterr().err
