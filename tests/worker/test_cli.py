"""`weir`: what a person types, sees and gets as an exit code."""

from __future__ import annotations

import argparse
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest
from redis import Redis
from rich.console import Console
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

from engine import bench
from engine.model.source import BUNDLED
from tests.forks import PYTHON
from worker.cli import COMMANDS, main
from worker.commands.eval import MEASURES
from worker.commands.streams import _table
from worker.keyspace.checkpoint import Checkpoint
from worker.keyspace.committer import Committer, Output
from worker.keyspace.embedded import EmbeddedServer
from worker.keyspace.figures import figures
from worker.keyspace.keys import stream_keys
from worker.keyspace.lease import Leases
from worker.keyspace.requests import Request
from worker.keyspace.source import Source
from worker.settings.config import Settings
from worker.settings.options import read_environment

KEYS = stream_keys("live:a")
DEAD_SERVER = "redis://127.0.0.1:1/0"

Weir = Callable[..., tuple[int, str, str]]


def commit(redis: Redis, status: str, *outputs: Output) -> None:
    lease = Leases(redis, "ana", lease_seconds=10).acquire("live:a")
    assert lease is not None
    before = Checkpoint.load(redis, "live:a")
    after = Checkpoint(status=status, tokens_seen=12)  # type: ignore[arg-type]
    Committer(redis, lease_seconds=10).commit(lease, before, after, outputs)


def published(redis: Redis) -> list[dict[bytes, bytes]]:
    return [fields for _, fields in redis.xrange("live:a")]


# What every command has in common.


def test_help_names_every_command(weir: Weir) -> None:
    code, out, _ = weir("--help")
    assert code == 0
    assert all(f"  {name} " in out for name in COMMANDS)


def test_help_loads_neither_torch_nor_celery() -> None:
    script = (
        "import sys; from worker.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted({'torch', 'celery', 'transformers'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    "name", ["worker", "publish", "tail", "streams", "exporter", "ask", "flush", "close"]
)
def test_help_of_a_command_names_the_variables(weir: Weir, name: str) -> None:
    code, out, _ = weir(name, "--help")
    assert code == 0
    assert "--redis-url" in out and "[WEIR_REDIS_URL]" in out


def test_help_of_the_worker_says_every_setting(weir: Weir) -> None:
    _, out, _ = weir("worker", "--help")
    assert all(f"WEIR_{name.upper()}" in out for name in Settings.model_fields)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["dance"], "weir: argument command: invalid choice: 'dance' (choose from "),
        (["publish"], "weir publish: the following arguments are required: KEY"),
        (["publish", "live:a", "--rate", "0"], "--rate: '0' must be a number above 0"),
        (["publish", "live:a", "--rate", "x"], "--rate: 'x' must be a number above 0"),
        (["publish", "live:a", "no-such-file"], "no-such-file cannot be read: No such file"),
        (["tail", "live:a", "--redis-url", "x"], "--redis-url='x': must begin with redis://"),
        (["streams", "--pattern", ","], "--pattern=',': must be key patterns"),
        (["worker", "--num-sinks", "few"], "--num-sinks='few': should be a valid integer"),
        (["worker", "--", "--dance"], "--dance"),
        (["flush", "live:none"], "there is no stream live:none"),
        (["close", "weir:{live:a}:summary"], "is one of Weir's own keys"),
        (["publish", "weir:{live:1}:transcript"], "is one of Weir's own keys"),
        (["publish", "live:\udcff"], "is not UTF-8"),
        (["tail", "weir:{live:1}:transcript"], "is one of Weir's own keys"),
        (["ask", "live:a", ""], "QUESTION is empty"),
        (["ask", "live:a", "\udcff"], "QUESTION is not UTF-8"),
        (["worker", "--", "--pool", "prefork"], "--pool=prefork: must be threads"),
        (["worker", "--", "-Psolo"], "--pool=solo: must be threads"),
        (["eval", "perplexity", "--text", "a", "--policies", "dense:x"], "'x' must be a number of"),
        (["eval", "lines", "--distances", "near"], "--distances=near: must be whole numbers"),
        (["eval", "beauty"], "invalid choice: 'beauty'"),
        (["eval", "perplexity", "--text", "no-such-file"], "text='no-such-file' needs to be"),
        (["eval", "perplexity", "--text", "a", "--png", "no/a.png"], "there is no folder no"),
        (["eval", "perplexity", "--text", "a", "--log", "no/a"], "there is no folder no"),
        (["eval", "perplexity", "--text", "a", "--png", "a.gif"], "must end with .png"),
        (["eval", "perplexity"], "weir eval perplexity: the following arguments are required"),
        (["bench", "--tokens", "many"], "--tokens: 'many' must be a whole number, 1 or more"),
        (["bench", "--tokens", "0"], "--tokens: '0' must be a whole number, 1 or more"),
        (["bench", "--dtype", "int3"], "weir bench: argument --dtype: invalid choice: 'int3'"),
        (["bench", "--peers", "--profile"], "not allowed with argument --peers"),
        (["bench", "--json", "no/a.json"], "--json=no/a.json: there is no folder no"),
        (["bench", "--json", "/proc/a.json"], "--json=/proc/a.json cannot be written: "),
        (["eval", "perplexity", "--text", "a", "--png", "/proc/a.png"], "cannot be written: "),
        (["eval", "perplexity", "--text", "a", "--log", "/"], "--log=/ cannot be written: Is a"),
        (["chat", "--system", "\udcff"], "weir chat: --system is not UTF-8"),
        (["chat", "--num-threads", "100000"], "should be less than or equal to 1024"),
        (["bench", "--dance"], "weir bench: unrecognized arguments: --dance"),
    ],
)
def test_a_wrong_word_gets_one_line_that_names_it(weir: Weir, words: list[str], says: str) -> None:
    code, out, err = weir(*words)
    assert (code, out) == (2, "")
    assert says in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("WEIR_NUM_SINKS", "few", "WEIR_NUM_SINKS='few': should be a valid integer"),
        ("WEIR_PUBLISH_RATE", "-1", "WEIR_PUBLISH_RATE='-1': '-1' must be a number above 0"),
        ("WEIR_PUBLISH_END", "maybe", "WEIR_PUBLISH_END='maybe' must be 1 or 0"),
    ],
)
def test_a_wrong_variable_gets_one_line_that_names_it(
    weir: Weir, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, says: str
) -> None:
    monkeypatch.setenv(variable, value)
    code, _, err = weir("publish", "live:a")
    assert code == 2
    assert says in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    "name", sorted(COMMANDS.keys() - {"eval"} | {f"eval {name}" for name in MEASURES})
)
def test_a_variable_that_nothing_reads_is_named_by_every_command(
    weir: Weir, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Each is ended by a word that it does not know."""
    monkeypatch.setenv("WEIR_NUM_ROW", "3")
    for of_another in ("WEIR_NUM_ROWS", "WEIR_BENCH_QUICK", "WEIR_EVAL_SINKS_TEXT"):
        monkeypatch.setenv(of_another, "1")
    code, _, err = weir(*name.split(), "--dance")
    assert code == 2
    named, wrong = err.splitlines()
    line = "WEIR_NUM_ROW is no setting and is passed over; did you mean WEIR_NUM_ROWS?"
    assert named == f"weir {name}: {line}"
    assert wrong.startswith(f"weir {name}: ")


def test_options_that_may_be_repeated_replace_their_variable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WEIR_BENCH_MODEL", "bundled")
    parser = argparse.ArgumentParser()
    bench.add_arguments(parser)
    read_environment(parser, "bench")
    assert parser.parse_args([]).model == ["bundled"]
    assert parser.parse_args(["--model", "a", "--model", "b"]).model == ["a", "b"]


@pytest.mark.parametrize(
    "words",
    [
        ["publish", "live:a"],
        ["tail", "live:a"],
        ["export", "live:a"],
        ["streams"],
        ["flush", "live:a"],
        ["close", "live:a"],
        ["ask", "live:a", "Who?"],
    ],
)
def test_without_a_server_one_line_says_what_to_do(weir: Weir, words: list[str]) -> None:
    code, _, err = weir(*words, "--redis-url", DEAD_SERVER)
    assert code == 1
    assert "no Redis answers at 127.0.0.1:1" in err
    assert "WEIR_REDIS_URL" in err and "weir demo" in err
    assert len(err.splitlines()) == 1


def test_what_the_system_refuses_is_one_line(weir: Weir, monkeypatch: pytest.MonkeyPatch) -> None:
    def without_room(_: argparse.Namespace) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("worker.commands.streams.run", without_room)
    assert weir("streams") == (1, "", "weir streams: [Errno 28] No space left on device\n")


def test_without_standard_input_and_output_a_command_ends_in_order() -> None:
    command = ["sh", "-c", 'exec "$0" -m worker.cli chat <&- >&-', sys.executable]
    run = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
    assert (run.returncode, run.stderr) == (0, "")


def test_a_server_that_wants_a_password_says_so(weir: Weir, redis: Redis) -> None:
    redis.config_set("requirepass", "p@ss")
    try:
        code, _, err = weir("streams")
    finally:
        redis.config_set("requirepass", "")
    assert code == 1
    assert "WEIR_REDIS_PASSWORD" in err


def test_ctrl_c_ends_quietly(redis_server: EmbeddedServer, redis: Redis) -> None:
    environment = {**os.environ, "WEIR_REDIS_URL": redis_server.url}
    commit(redis, "live")
    command = [sys.executable, "-m", "worker", "tail", "live:a", "--from-start"]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        redis.xadd(KEYS.transcript, {"text": "It listens now."})
        assert process.stdout is not None
        assert process.stdout.readline() == "It listens now.\n"
        process.send_signal(signal.SIGINT)
        assert process.communicate() == ("", "")
        assert process.returncode == 130


def test_ctrl_c_while_a_command_is_loaded_ends_quietly(tmp_path: Path) -> None:
    """It comes while the first of the libraries is imported."""
    interrupt = "import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n"
    (tmp_path / "redis.py").write_text(interrupt)
    run = subprocess.run(
        [sys.executable, "-m", "worker", "streams"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        check=False,
    )
    assert (run.returncode, run.stdout, run.stderr) == (-signal.SIGINT, b"", b"")


# worker


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("WEIR_SNAPSHOT_DIR", "/dev/null/x", "'/dev/null/x': Not a directory; name a folder"),
        ("WEIR_DEVICE", "cuda:99", "'cuda:99' is not there: PyTorch sees"),
    ],
)
def test_a_worker_that_cannot_start_says_why_and_which_variables_are_misspelt(
    redis_server: EmbeddedServer, tmp_path: Path, variable: str, value: str, says: str
) -> None:
    settings = {"WEIR_REDIS_URL": redis_server.url, "WEIR_METRICS_PORT": "0", variable: value}
    settings = {"WEIR_SNAPSHOT_DIR": str(tmp_path), "WEIR_NUM_SINK": "3", **settings}
    run = subprocess.run(
        [*PYTHON, "-m", "worker", "worker"],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        check=False,
    )
    first, *between, last = run.stderr.splitlines()
    assert run.returncode == 2
    assert first.endswith(
        "WEIR_NUM_SINK is no setting and is passed over; did you mean WEIR_NUM_SINKS?"
    )
    assert last.startswith(f"weir: {variable}={says}")
    assert not [line for line in between if "superuser" in line or "Traceback" in line]


# publish


def test_publish_reads_lines_and_json_lines(weir: Weir, redis: Redis, tmp_path: Path) -> None:
    file = tmp_path / "talk.txt"
    file.write_text('Good morning.\n\n{"text": "hi", "speaker": "Ana", "start": 1}\n')
    code, out, err = weir("publish", "live:a", str(file), "--end")
    assert (code, out) == (0, "")
    assert "talk.txt is plain text: 2 entries, 3 words, 0:00:01 to 0:00:01" in err
    assert published(redis) == [
        {b"text": b"Good morning."},
        {b"text": b"hi", b"speaker": b"Ana", b"start": b"1"},
        {b"end_of_stream": b"1"},
    ]


def test_publish_leaves_bad_lines_out_and_says_so(weir: Weir, redis: Redis, tmp_path: Path) -> None:
    file = tmp_path / "talk.txt"
    file.write_bytes(b'one\n{"text": \ntwo')
    code, _, err = weir("publish", "live:a", str(file))
    assert code == 1
    assert published(redis) == [{b"text": b"one"}, {b"text": b"two"}]
    assert "line 2 is left out: not a JSON object" in err


def test_publish_goes_on_after_lines_that_are_beyond_all_limits(
    weir: Weir, redis: Redis, tmp_path: Path
) -> None:
    file = tmp_path / "talk.jsonl"
    deep, many = "[" * 100_000, ", ".join(f'"f{number}": 1' for number in range(9000))
    bad = (
        '{"text": "\\ud83d"}',
        f'{{"text": {"9" * 5000}}}',
        f'{{"text": {deep}',
        f'{{"text": "hi", {many}}}',
    )
    file.write_text("\n".join(["one", *bad, "two"]))
    code, _, err = weir("publish", "live:a", str(file), "--speed", "1")
    assert code == 1
    assert published(redis) == [{b"text": b"one"}, {b"text": b"two"}]
    about, no_times, *complaints = err.splitlines()
    assert "is plain text: 2 entries" in about and "--speed has no times" in no_times
    for number, line in enumerate(complaints, 2):
        assert line.startswith(f"weir publish: line {number} is left out: ")
    assert len(complaints) == len(bad)


def test_publish_takes_its_options_from_variables(
    weir: Weir, redis: Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "talk.txt"
    file.write_text("one")
    monkeypatch.setenv("WEIR_PUBLISH_END", "1")
    monkeypatch.setenv("WEIR_PUBLISH_RATE", "1000")
    assert weir("publish", "live:a", str(file))[0] == 0
    assert published(redis)[-1] == {b"end_of_stream": b"1"}


def test_publish_sends_each_line_of_a_pipe_as_it_comes(
    redis_server: EmbeddedServer, redis: Redis
) -> None:
    environment = {**os.environ, "WEIR_REDIS_URL": redis_server.url}
    command = [*PYTHON, "-m", "worker", "publish", "live:a"]
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        for text in (b"one", b"two"):
            process.stdin.write(text + b"\n")
            process.stdin.flush()
            while {b"text": text} not in published(redis):
                assert process.poll() is None
                time.sleep(0.01)
        process.stdin.close()
        assert process.wait() == 0
    assert published(redis) == [{b"text": b"one"}, {b"text": b"two"}]


# tail


def test_tail_shows_a_closed_stream_from_its_start(weir: Weir, redis: Redis) -> None:
    commit(
        redis,
        "closed",
        Output(KEYS.transcript, {"text": "Good morning.", "speaker": "Ana", "start": "3661.5"}),
        Output(KEYS.transcript, {"text": "[bold]Hello[/bold]"}),
        Output(KEYS.transcript, {"text": "", "final": "1"}),
        Output(KEYS.summary, {"text": "They met.", "first": "1-0", "last": "2-0", "final": "1"}),
        Output(KEYS.answers, {"id": "q", "question": "Who?", "text": "Ana."}),
    )
    code, out, _ = weir("tail", "live:a", "--from-start")
    assert code == 0
    assert out.splitlines() == [
        "1:01:01 Ana: Good morning.",
        "[bold]Hello[/bold]",
        "[last summary of 1-0 to 2-0] They met.",
        "[Who?] Ana.",
    ]


def test_tail_as_json_is_an_object_a_line(weir: Weir, redis: Redis) -> None:
    commit(
        redis,
        "closed",
        Output(KEYS.transcript, {"text": "Guten Tag, Österreich.", "start": "1700000000.5"}),
        Output(KEYS.summary, {"text": "They met.", "final": "1"}),
    )
    code, out, _ = weir("tail", "live:a", "--from-start", "--json")
    assert code == 0
    assert [json.loads(line) for line in out.splitlines()] == [
        {"output": "transcript", "text": "Guten Tag, Österreich.", "start": "1700000000.5"},
        {"output": "summary", "text": "They met.", "final": "1"},
    ]


def test_tail_shows_dates_and_what_is_no_time(weir: Weir, redis: Redis) -> None:
    commit(
        redis,
        "closed",
        Output(KEYS.transcript, {"text": "One.", "start": "1700000000.5"}),
        Output(KEYS.transcript, {"text": "Two.", "start": "soon"}),
    )
    _, out, _ = weir("tail", "live:a", "--from-start")
    assert out.splitlines() == ["2023-11-14 22:13:20 One.", "soon Two."]


def test_tail_shows_what_comes_until_the_end(weir: Weir, redis: Redis) -> None:
    commit(redis, "live", Output(KEYS.transcript, {"text": "before"}))

    def go_on() -> None:
        for number in range(3):
            commit(redis, "live", Output(KEYS.transcript, {"text": f"line {number}"}))
        commit(redis, "closed", Output(KEYS.summary, {"text": "S", "final": "1"}))

    # Wait until tail listens: it is the one client that blocks.
    def when_listening() -> None:
        while not redis.info("clients")["blocked_clients"]:
            time.sleep(0.01)
        go_on()

    thread = threading.Thread(target=when_listening)
    thread.start()
    code, out, _ = weir("tail", "live:a")
    thread.join()
    assert code == 0
    assert out.splitlines()[:-1] == ["line 0", "line 1", "line 2"]


# streams


def test_streams_without_any(weir: Weir) -> None:
    assert weir("streams") == (0, "no stream matches live:* (WEIR_PATTERN)\n", "")


def test_streams_shows_every_stream(weir: Weir, redis: Redis) -> None:
    redis.xadd("live:a", {"text": "hi"})
    redis.xadd("live:b", {"text": "hi"})
    memory = {"kv_bytes": str(3 * 2**20), "window_fill": "20", "window_size": "256"}
    commit(redis, "live", Output(KEYS.memory, memory))
    _, out, _ = weir("streams")
    header, first, second = (line.split() for line in out.splitlines())
    assert header[:3] == ["stream", "status", "owner"]
    assert first[:4] == ["live:a", "live", "ana", "1"]
    assert "20/256" in first and "3.0" in first and "12" in first
    assert second[:4] == ["live:b", "new", "-", "1"]


NAMES = ["live:[/b]", "live:[bold]x", "live:a:b:c", "live::smile:"]


def test_streams_prints_names_as_they_are(weir: Weir, redis: Redis) -> None:
    for name in (*NAMES, "live:\x1b[2J"):
        redis.xadd(name, {"text": "hi"})
    code, out, _ = weir("streams")
    assert code == 0
    shown = [line.split()[0] for line in out.splitlines()[1:]]
    assert sorted(shown) == sorted([*NAMES, "live:\ufffd[2J"])


def test_streams_gives_every_stream_one_line(redis: Redis) -> None:
    redis.xadd("live:" + "long" * 30, {"text": "hi"})
    Leases(redis, "a-host.with.a.name:4711:0a1b2c3d", lease_seconds=10).acquire("live:b")
    redis.xadd("live:b", {"text": "hi"})
    console = Console(width=80, file=io.StringIO(), force_terminal=True, color_system=None)
    console.print(_table(figures(redis, ("live:*",))))
    header, first, second = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert header.split()[-1] == "summary" and "…" in second
    assert first.startswith("live:b") and "0a1b" not in first and second.startswith("live:long")


def test_streams_as_json(weir: Weir, redis: Redis) -> None:
    redis.xadd("live:a", {"text": "hi"})
    code, out, _ = weir("streams", "--json")
    [line] = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert (line["stream"], line["status"], line["lag_entries"]) == ("live:a", "new", 1)


# flush, close, ask


def requests_of(redis: Redis, settings: Settings) -> list[Request]:
    arrivals = Source(redis, settings.entry_limits).read(
        {}, {"live:a": "0-0"}, count=10, block_seconds=0
    )
    return [request for request in arrivals.requests["live:a"] if isinstance(request, Request)]


@pytest.mark.parametrize("kind", ["flush", "close"])
def test_flush_and_close_become_requests(
    weir: Weir, redis: Redis, weir_settings: Settings, kind: str
) -> None:
    redis.xadd("live:a", {"text": "hi"})
    code, out, err = weir(kind, "live:a")
    assert code == 0
    assert KEYS.summary in out
    assert err == "no worker has this stream now; it is done when one takes it\n"
    assert [request.kind for request in requests_of(redis, weir_settings)] == [kind]


@pytest.mark.parametrize("kind", ["flush", "close"])
def test_flush_and_close_of_an_owned_stream_say_nothing_more(
    weir: Weir, redis: Redis, kind: str
) -> None:
    redis.xadd("live:a", {"text": "hi"})
    Leases(redis, "ana", lease_seconds=10).acquire("live:a")
    assert weir(kind, "live:a")[2] == ""


def test_ask_waits_for_its_own_answer(weir: Weir, redis: Redis, weir_settings: Settings) -> None:
    redis.xadd("live:a", {"text": "hi"})
    redis.xadd(KEYS.answers, {"id": "earlier", "text": "No."})

    def answer() -> None:
        arrivals = None
        source = Source(redis, weir_settings.entry_limits)
        while not (
            arrivals := source.read({}, {"live:a": "0-0"}, count=1, block_seconds=1).requests
        ):
            pass
        [asked] = arrivals["live:a"]
        assert isinstance(asked, Request)
        redis.xadd(KEYS.answers, {"id": "another", "text": "No."})
        redis.xadd(KEYS.answers, {"id": asked.id, "text": f"About {asked.question} Ana."})

    thread = threading.Thread(target=answer)
    thread.start()
    code, out, err = weir("ask", "live:a", "Who?")
    thread.join()
    assert (code, out) == (0, "About Who? Ana.\n")
    assert "no worker has this stream now" in err


def test_ask_gives_up_in_time(weir: Weir, redis: Redis) -> None:
    redis.xadd("live:a", {"text": "hi"})
    code, out, err = weir("ask", "live:a", "Who?", "--wait", "0.01")
    assert (code, out) == (1, "")
    assert f"it will come in {KEYS.answers}" in err


def test_it_says_which_version_it_is(weir: Weir) -> None:
    assert weir("--version") == (0, f"weir {version('weir')}\n", "")


def test_eval_lists_its_measures_and_each_has_its_own_help(weir: Weir) -> None:
    code, out, _ = weir("eval")
    assert code == 2
    assert all(measure in out for measure in MEASURES)
    code, out, _ = weir("eval", "perplexity", "--help")
    assert code == 0
    assert "WEIR_EVAL_PERPLEXITY_TEXT" in out


def test_eval_compares_policies_and_draws_them(weir: Weir, tmp_path: Path) -> None:
    text, png = tmp_path / "text", tmp_path / "perplexity.png"
    text.write_text("The river rose, and the gate at the weir stuck again. " * 40)
    options = ["--text", str(text), "--policies", "window:200,sinks", "--num-recent", "60"]
    code, out, _ = weir("eval", "perplexity", *options, "--max-tokens", "300", "--png", str(png))
    assert code == 0
    assert "sinks" in out
    assert "window" in out
    assert png.read_bytes().startswith(b"\x89PNG")
    policies = json.loads(out.splitlines()[-1])["policies"]
    assert [(name, figures["num_tokens"]) for name, figures in policies.items()] == [
        ("window", 200),
        ("sinks", 300),
    ]


def test_eval_asks_for_lines_by_distance(weir: Weir) -> None:
    options = ["--distances", "1,30", "--questions", "2", "--num-recent", "252"]
    code, out, _ = weir("eval", "lines", *options)
    assert code == 0
    near, far = json.loads(out.splitlines()[-1])["distances"]
    assert (near["in_the_window"], far["in_the_window"]) == ("yes", "no")
    assert near["stream"]["num_asked"] == far["stream"]["num_asked"] == 2


def test_eval_compares_number_formats(weir: Weir, tmp_path: Path) -> None:
    model, text = tmp_path / "model", tmp_path / "text"
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 4096}
    LlamaForCausalLM(LlamaConfig(**sizes, **heads)).save_pretrained(model)
    AutoTokenizer.from_pretrained(BUNDLED).save_pretrained(model)
    text.write_text("The river rose, and the gate at the weir stuck again. " * 40)
    options = ["--model", str(model), "--text", str(text), "--max-tokens", "300", "--rounds", "1"]
    code, out, _ = weir("eval", "formats", *options, "--num-recent", "60")
    assert code == 0
    formats = json.loads(out.splitlines()[-1])["formats"]
    # layers x (key + value) x KV heads x slots x (numbers + a float)
    assert formats["KV int8"]["bytes_per_row"] == 2 * 2 * 2 * 64 * (8 + 4)
    assert formats["KV int8"]["num_tokens"] == 299


def test_eval_counts_perplexity_by_sinks(weir: Weir, tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text("The river rose, and the gate at the weir stuck again. " * 40)
    options = ["--text", str(text), "--sinks", "0,1,4", "--windows", "64", "--max-tokens", "300"]
    code, out, _ = weir("eval", "sinks", *options)
    assert code == 0
    figures = json.loads(out.splitlines()[-1])
    assert list(figures["windows"]["64"]) == ["0", "1", "4"]
    assert figures["num_tokens"] == 299 - 64


def test_rounds_out_of_range_are_refused_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["eval", "formats", "--text", "talk.txt", "--rounds", "0"])
    assert ended.value.code == 2
    line = "argument --rounds: '0' must be a whole number from 1 to 999 (--help says more)"
    assert capsys.readouterr().err == f"weir eval formats: {line}\n"
