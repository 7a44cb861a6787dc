"""`weir publish` and `weir export`: any file in, any file out, through a real worker."""

from __future__ import annotations

import gzip
import json
import random
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from redis import Redis

from tests.forks import PYTHON
from tests.worker.workbench import Workbench, settings_for
from worker.keyspace.embedded import EmbeddedServer
from worker.keyspace.keys import stream_keys

SAMPLES = Path(__file__).parents[1] / "formats" / "samples"
SAID = [
    "Good morning, the river is at four metres.",
    "Then we open the gate at noon.",
    "Agreed.",
]

Weir = Callable[..., tuple[int, str, str]]


def texts(redis: Redis, stream: str = "live:a") -> list[str]:
    entries = [fields for _, fields in redis.xrange(stream)]
    return [fields[b"text"].decode().strip() for fields in entries if b"text" in fields]


# publish


@pytest.mark.parametrize("name", sorted(path.name for path in SAMPLES.iterdir()))
def test_what_is_said_in_a_file_is_published(weir: Weir, redis: Redis, name: str) -> None:
    code, out, err = weir("publish", "live:a", str(SAMPLES / name))
    assert (code, out) == (0, "")
    assert f"{name} is " in err and "3 entries, 16 words" in err
    assert [text.replace("è", "e") for text in texts(redis)] == SAID


def test_what_is_no_speech_is_refused_in_one_line_and_nothing_is_published(
    weir: Weir, redis: Redis, tmp_path: Path
) -> None:
    file = tmp_path / "talk.docx"
    file.write_bytes(b"PK\x03\x04 and so on")
    code, _, err = weir("publish", "live:a", str(file))
    assert (code, len(err.splitlines())) == (2, 1)
    assert "talk.docx is not published: it is a zip archive (as .docx is), not text" in err
    assert not redis.exists("live:a")


def test_the_format_can_be_said(weir: Weir, redis: Redis, tmp_path: Path) -> None:
    file = tmp_path / "talk.srt"
    file.write_text("1\n00:00:01,000 --> 00:00:02,000\nHi.\n")
    assert weir("publish", "live:a", str(file), "--format", "text")[0] == 0
    assert texts(redis) == ["1", "00:00:01,000 --> 00:00:02,000", "Hi."]
    code, _, err = weir("publish", "live:a", str(file), "--format", "doc")
    assert code == 2 and "invalid choice: 'doc'" in err


def test_a_key_that_no_worker_looks_for_is_said(weir: Weir, redis: Redis) -> None:
    file = str(SAMPLES / "plain.txt")
    code, _, err = weir("publish", "talk:a", file)
    assert code == 0 and "no worker with WEIR_PATTERN=live:* takes talk:a" in err
    assert "WEIR_PATTERN" not in weir("publish", "talk:a", file, "--pattern", "live:*,talk:?")[2]
    assert "WEIR_PATTERN" not in weir("publish", "live:a", file)[2]


def test_a_speed_without_times_is_said(weir: Weir) -> None:
    code, _, err = weir("publish", "live:a", str(SAMPLES / "plain.txt"), "--speed", "2")
    assert code == 0 and "--speed has no times to go by" in err


def test_an_entry_over_the_limit_is_split_at_a_word(
    weir: Weir, redis: Redis, tmp_path: Path
) -> None:
    file = tmp_path / "talk.jsonl"
    words = " ".join(f"word{number}" for number in range(500))
    file.write_text(json.dumps({"text": words, "speaker": "Ana"}))
    code, _, err = weir("publish", "live:a", str(file), "--max-entry-bytes", "1000")
    assert code == 0 and "entry 1 is larger than WEIR_MAX_ENTRY_BYTES: it goes as" in err
    assert " ".join(texts(redis)) == words and len(texts(redis)) > 4
    assert max(len(text) for text in texts(redis)) < 1000


def test_a_long_file_goes_many_entries_at_a_time(weir: Weir, redis: Redis, tmp_path: Path) -> None:
    file = tmp_path / "talk.txt.gz"
    lines = [f"Line {number}." for number in range(1000)]
    file.write_bytes(gzip.compress("\n".join(lines).encode("utf-16")))
    before = redis.info("commandstats")["cmdstat_hset"]["calls"] if redis.hset("x", "y", 1) else 0
    assert weir("publish", "live:a", str(file))[0] == 0
    assert texts(redis) == lines
    assert redis.info("commandstats")["cmdstat_hset"]["calls"] - before < 30


def test_a_file_at_standard_input_is_looked_at_whole(
    redis_server: EmbeddedServer, redis: Redis
) -> None:
    command = [*PYTHON, "-m", "worker", "publish", "live:a", "--redis-url", redis_server.url]
    with (SAMPLES / "plain.srt").open("rb") as file:
        subprocess.run(command, stdin=file, check=True, capture_output=True)
    assert texts(redis) == SAID


@pytest.mark.parametrize("words", [(), ("--format", "srt")])
def test_captions_in_a_pipe_need_their_format_said(
    redis_server: EmbeddedServer, redis: Redis, words: tuple[str, ...]
) -> None:
    command = [*PYTHON, "-m", "worker", "publish", "live:a", "--redis-url", redis_server.url]
    data = (SAMPLES / "plain.srt").read_bytes()
    run = subprocess.run([*command, *words], input=data, capture_output=True)
    assert run.returncode == (0 if words else 2)
    assert texts(redis) == (SAID if words else [])
    assert words or b"give the file itself, or say --format" in run.stderr


# export


def test_a_file_comes_out_as_it_went_in(
    weir: Weir, redis: Redis, redis_server: EmbeddedServer, tmp_path: Path
) -> None:
    """Words and times of captions, through a real worker; the words of all other formats."""
    draw = random.Random(7)
    at, cues = 3_600_000, []
    for number in range(40):
        start = at + draw.randrange(0, 3000)
        at = start + draw.randrange(500, 4000)
        text = " ".join(draw.choices(["water", "gate", "Ashby,", "25", "rises.", "the"], k=9))
        cues.append(f"{number + 1}\n{_clock(start)} --> {_clock(at)}\n{text}.\n")
    file = tmp_path / "talk.srt"
    file.write_text("\n".join(cues))
    assert weir("publish", "live:a", str(file), "--end")[0] == 0
    bench = Workbench(settings_for(redis_server.url, tmp_path, restore="off"))
    bench.run_to_end("live:a")
    code, out, err = weir("export", "live:a", "--format", "srt")
    assert (code, err) == (0, "")
    # The same, but for where a caption breaks its lines.
    assert [block.split() for block in out.split("\n\n")] == [
        block.split() for block in "\n".join(cues).split("\n\n")
    ] + [[]]
    words = [word for text in texts(redis) for word in text.split()]
    for format in ("vtt", "json", "jsonl", "txt"):
        again = tmp_path / f"again.{format}"
        again.write_text(weir("export", "live:a", "--format", format)[1])
        assert weir("publish", f"live:{format}", str(again))[0] == 0
        assert [word for text in texts(redis, f"live:{format}") for word in text.split()] == words


def _clock(ms: int) -> str:
    return f"{ms // 3600000:02d}:{ms // 60000 % 60:02d}:{ms // 1000 % 60:02d},{ms % 1000:03d}"


def test_export_follows_until_the_stream_ends(redis_server: EmbeddedServer, redis: Redis) -> None:
    keys = stream_keys("live:a")
    redis.xadd("live:a", {"text": "One."})
    redis.xadd(keys.transcript, {"text": "One.", "start": "1", "end": "2", "final": "1"})
    command = [*PYTHON, "-m", "worker", "export", "live:a", "--format", "jsonl", "--follow"]
    command += ["--redis-url", redis_server.url]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["text"] == "One."
        redis.xadd(keys.transcript, {"text": "Two.", "final": "1"})
        assert json.loads(process.stdout.readline())["text"] == "Two."
        redis.hset(keys.state, "status", "closed")
        assert process.stdout.read() == b""
        assert process.wait() == 0


def test_captions_without_times_are_refused(weir: Weir, redis: Redis) -> None:
    redis.xadd("live:a", {"text": "One."})
    redis.xadd(stream_keys("live:a").transcript, {"text": "One.", "final": "1"})
    code, out, err = weir("export", "live:a", "--format", "srt")
    assert (code, out) == (2, "") and "no entry has a time" in err
    assert weir("export", "live:a")[1] == "One.\n"


def test_a_stream_without_a_transcript_is_said(weir: Weir, redis: Redis) -> None:
    redis.xadd("live:a", {"text": "One."})
    assert weir("export", "live:a") == (0, "", "weir export: live:a has no transcript yet\n")


def test_a_stream_that_is_not_there_is_said(weir: Weir) -> None:
    code, _, err = weir("export", "live:nothing")
    assert code == 2 and "there is no stream live:nothing" in err
