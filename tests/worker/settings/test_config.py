"""Settings come from WEIR_* variables; what is wrong is said in one line."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError
from redis import Redis

from engine import ConfigError, EngineConfig
from engine.schedule.window import Window
from worker.keyspace.connection import connect
from worker.keyspace.embedded import EmbeddedServer
from worker.settings.config import Settings, load_settings, misspelt, settings_error_line
from worker.stream.kit import engine_config


def error_line(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> str:
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError) as error:
        load_settings()
    return settings_error_line(error.value)


def test_the_defaults_are_valid() -> None:
    settings = load_settings()
    assert settings.patterns == ("live:*",)
    assert settings.max_streams == 1000
    assert settings.metrics_host == "127.0.0.1"


def test_variables_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEIR_PATTERN", "live:*, talk:[ab]*")
    monkeypatch.setenv("WEIR_PROMPTS", '{"todo": "Action items so far?"}')
    monkeypatch.setenv("WEIR_METRICS_PORT", "0")
    settings = load_settings()
    assert settings.patterns == ("live:*", "talk:[ab]*")
    assert settings.prompts == {"todo": "Action items so far?"}
    assert settings.metrics_port == 0


def test_a_window_may_be_said_in_the_words_of_llama_cpp(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"CTX_SIZE": "2048", "N_KEEP": "8", "N_DISCARD": "-1"}.items():
        monkeypatch.setenv(f"WEIR_{name}", value)
    window = engine_config(load_settings()).window
    assert window == Window(num_sinks=8, num_recent=2040, num_discard=1020)
    config = EngineConfig.of_context("bundled", ctx_size=2048, n_keep=8, n_discard=-1)
    assert window == config.window


def test_a_window_said_in_two_ways_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEIR_NUM_SINKS", "4")
    line = "WEIR_N_KEEP and WEIR_NUM_SINKS say the same: leave one of them out"
    assert error_line(monkeypatch, "WEIR_N_KEEP", "4") == line


def test_number_formats_reach_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    unset = engine_config(load_settings())
    assert (unset.dtype, unset.kv_dtype, unset.weight_dtype) == ("float32", None, None)
    assert unset.compute_dtype is None
    monkeypatch.setenv("WEIR_DTYPE", "bfloat16")
    monkeypatch.setenv("WEIR_KV_DTYPE", "int8")
    monkeypatch.setenv("WEIR_WEIGHT_DTYPE", "int4")
    config = engine_config(load_settings())
    assert (config.dtype, config.kv_dtype, config.weight_dtype) == ("bfloat16", "int8", "int4")
    monkeypatch.setenv("WEIR_WEIGHT_DTYPE", "int8")
    monkeypatch.setenv("WEIR_COMPUTE_DTYPE", "int8")
    config = engine_config(load_settings())
    assert (config.weight_dtype, config.compute_dtype) == ("int8", "int8")


def test_settings_do_not_change_once_made() -> None:
    with pytest.raises(ValidationError):
        load_settings().pattern = "*"


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        (
            "WEIR_NUM_SINKS",
            "many",
            "WEIR_NUM_SINKS='many': "
            "should be a valid integer, unable to parse string as an integer",
        ),
        (
            "WEIR_METRICS_PORT",
            "99999",
            "WEIR_METRICS_PORT='99999': should be less than or equal to 65535",
        ),
        (
            "WEIR_CTX_SIZE",
            "10",
            "WEIR_CTX_SIZE=10: must be at least 20, for 4 sinks and 16 recent tokens",
        ),
        ("WEIR_N_KEEP", "-1", "WEIR_N_KEEP='-1': should be greater than or equal to 0"),
        (
            "WEIR_N_DISCARD",
            "1021",
            "WEIR_N_DISCARD='1021': must be 1 to WEIR_NUM_RECENT (1020), or -1 for half of it",
        ),
        (
            "WEIR_NUM_DISCARD",
            "1021",
            "WEIR_NUM_DISCARD='1021': must be 1 to WEIR_NUM_RECENT (1020), or -1 for half of it",
        ),
        (
            "WEIR_RESTORE",
            "maybe",
            "WEIR_RESTORE='maybe': must be auto, off, or a folder with an encoder that"
            " python -m ops.restore has made",
        ),
        (
            "WEIR_KV_DTYPE",
            "int4",
            "WEIR_KV_DTYPE='int4': should be 'float32', 'bfloat16', 'float16' or 'int8'",
        ),
        (
            "WEIR_WEIGHT_DTYPE",
            "int2",
            "WEIR_WEIGHT_DTYPE='int2': should be 'same', 'int8' or 'int4'",
        ),
        ("WEIR_COMPUTE_DTYPE", "int4", "WEIR_COMPUTE_DTYPE='int4': should be 'int8'"),
        (
            "WEIR_COMPUTE_DTYPE",
            "int8",
            "WEIR_COMPUTE_DTYPE='int8': "
            "needs WEIR_WEIGHT_DTYPE=int8: what it speeds up is products with those",
        ),
        ("WEIR_DEVICE", "tpu", "WEIR_DEVICE='tpu': must be cpu, cuda or cuda:N"),
        (
            "WEIR_REDIS_URL",
            "localhost",
            "WEIR_REDIS_URL='localhost': must begin with redis:// or valkey://, rediss:// or "
            "valkeys:// for TLS, unix:// for a socket, sentinel:// or sentinels://, or cluster:// "
            "or clusters:// for a Redis Cluster, as in redis://127.0.0.1:6379/0",
        ),
        (
            "WEIR_REDIS_URL",
            "redis://host/zero",
            "WEIR_REDIS_URL='redis://host/zero': "
            "must end in a database number, as in redis://127.0.0.1:6379/0",
        ),
        (
            "WEIR_REDIS_URL",
            "redis://127.0.0.1:notaport/0",
            "WEIR_REDIS_URL='redis://127.0.0.1:notaport/0': "
            "must have a port from 0 to 65535, or none for 6379",
        ),
        (
            "WEIR_REDIS_PASSWORD_FILE",
            "/nonexistent",
            "WEIR_REDIS_PASSWORD_FILE='/nonexistent': cannot be read: No such file or directory",
        ),
        ("WEIR_LEASE_SECONDS", "inf", "WEIR_LEASE_SECONDS='inf': should be a finite number"),
        ("WEIR_SUMMARY_SECONDS", "nan", "WEIR_SUMMARY_SECONDS='nan': should be a finite number"),
        (
            "WEIR_BLOCK_SECONDS",
            "4",
            "WEIR_BLOCK_SECONDS='4': must be at most a third of WEIR_LEASE_SECONDS (10), "
            "or streams are lost while their owner waits",
        ),
        (
            "WEIR_PATTERN",
            "live:*,,",
            "WEIR_PATTERN='live:*,,': "
            "must be key patterns with commas between them, as in live:*,talk:*",
        ),
        (
            "WEIR_PROMPTS",
            "todo",
            'WEIR_PROMPTS=\'todo\': must be a JSON object, as in {"todo": "Action items so far?"}',
        ),
    ],
)
def test_a_wrong_value_gets_one_line(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, line: str
) -> None:
    assert error_line(monkeypatch, name, value) == line


def test_a_step_has_room_for_a_token_of_every_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEIR_NUM_ROWS", "2000")
    assert engine_config(load_settings()).max_step_tokens >= 2000
    assert error_line(monkeypatch, "WEIR_MAX_STEP_TOKENS", "1024") == (
        "WEIR_MAX_STEP_TOKENS='1024': must be at least WEIR_NUM_ROWS (2000), so that no session "
        "waits for a step"
    )


@pytest.mark.parametrize(
    "prompts", ['["a"]', '{"a b": "c"}', '{"a": " "}', '{"a": 1}', r'{"a": "\ud83d"}']
)
def test_prompts_must_be_named_questions(monkeypatch: pytest.MonkeyPatch, prompts: str) -> None:
    line = error_line(monkeypatch, "WEIR_PROMPTS", prompts)
    assert line.startswith("WEIR_PROMPTS=") and "\n" not in line


def test_every_setting_says_what_it_does() -> None:
    assert all(field.description for field in Settings.model_fields.values())


def test_the_password_goes_into_the_address_and_nowhere_else(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("p@ss/word\n")
    settings = Settings(redis_url="redis://host:7000/2", redis_password_file=secret)
    assert settings.server.url == "redis://:p%40ss%2Fword@host:7000/2"
    direct = Settings(redis_url="redis://me@host/0", redis_password=SecretStr("p"))
    assert direct.server.url == "redis://me:p@host/0"
    assert "'p'" not in repr(direct)


def test_a_server_with_a_password_is_reached(redis: Redis, redis_server: EmbeddedServer) -> None:
    redis.config_set("requirepass", "p@ss")
    try:
        settings = Settings(redis_url=redis_server.url, redis_password=SecretStr("p@ss"))
        with connect(settings) as client:
            assert client.ping()
    finally:
        redis.config_set("requirepass", "")


def test_a_variable_that_nothing_reads_is_named_with_the_nearest_that_is_read() -> None:
    names = ["WEIR_NUM_SINK", "WEIR_QQQQ", "WEIR_NUM_SINKS", "WEIR_PUBLISH_RATE", "HOME"]
    names += ["WEIR_DEMO_SPEED", "WEIR_DEMO_SPED", "WEIR_EVAL_LINES_SEED"]
    commands = ["publish", "demo", "eval"]
    lines = misspelt(names, commands, "demo", ["WEIR_DEMO_SPEED"])
    assert [*lines.values()] == [
        "WEIR_DEMO_SPED is no setting and is passed over; did you mean WEIR_DEMO_SPEED?",
        "WEIR_NUM_SINK is no setting and is passed over; did you mean WEIR_NUM_SINKS?",
        "WEIR_QQQQ is no setting and is passed over",
    ]


def test_context_not_larger_than_what_is_kept_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"ctx_size=40 is not valid: use more than n_keep \(50\)"):
        EngineConfig.of_context("bundled", ctx_size=40, n_keep=50)
