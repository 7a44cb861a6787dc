"""All settings, read once from `WEIR_*` environment variables. Frozen, checked when made.

Each field says in its description what it does; `--help` and docs/settings.md are made from it.
"""

import re
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from worker.intake.entries import EntryLimits
from worker.settings import address, rules
from worker.settings.rules import ENV_PREFIX
from worker.settings.server import Server

_TLS_FILES = {
    "ssl_ca_certs": "redis_ca_file",
    "ssl_certfile": "redis_cert_file",
    "ssl_keyfile": "redis_key_file",
}


class Settings(BaseSettings):
    """What a worker and the command line can be told."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, frozen=True, extra="forbid", allow_inf_nan=False
    )

    redis_url: Annotated[str, AfterValidator(address.server_url)] = Field(
        default="redis://127.0.0.1:6379/0",
        description="Redis or Valkey server (7.0 or newer), as a URL: redis:// or valkey://, rediss://"
        " or valkeys:// for TLS, unix:// for a socket; or sentinels that know it:"
        " sentinel://HOST,HOST/NAME, sentinels:// for TLS; or nodes of a Redis Cluster:"
        " cluster://HOST,HOST, clusters:// for TLS",
    )
    redis_password: SecretStr | None = Field(
        default=None, description="password of the server, if it is not in the URL"
    )
    redis_password_file: Annotated[Path | None, AfterValidator(rules.password_file)] = Field(
        default=None,
        description="file whose first line is the password; or WEIR_REDIS_PASSWORD holds it",
    )
    sentinel_password: SecretStr | None = Field(
        default=None, description="password of the sentinels, if they have one"
    )
    sentinel_password_file: Annotated[Path | None, AfterValidator(rules.password_file)] = Field(
        default=None,
        description="file whose first line is that; or WEIR_SENTINEL_PASSWORD holds it",
    )
    redis_ca_file: Path | None = Field(
        default=None,
        description="certificates of who may vouch for the server, in PEM; unset: the system's",
    )
    redis_cert_file: Path | None = Field(
        default=None, description="certificate that we show to the server, in PEM; unset: none"
    )
    redis_key_file: Path | None = Field(
        default=None, description="its private key, in PEM; unset: in the same file"
    )
    redis_check_hostname: bool = Field(
        default=True,
        description="whether the server's certificate must be for the name in WEIR_REDIS_URL",
    )
    broker_url: Annotated[str | None, AfterValidator(address.broker_url)] = Field(
        default=None,
        description="server of Celery's messages, if it is another: a single one, or sentinels that"
        " know it; unset: WEIR_REDIS_URL",
    )
    broker_password: SecretStr | None = Field(
        default=None, description="its password, if it is not in the URL"
    )
    broker_password_file: Annotated[Path | None, AfterValidator(rules.password_file)] = Field(
        default=None,
        description="file whose first line is that; or WEIR_BROKER_PASSWORD holds it",
    )
    pattern: Annotated[str, AfterValidator(rules.patterns)] = Field(
        default="live:*", description="which keys are streams: glob patterns, commas between them"
    )
    discover_seconds: float = Field(
        default=2.0,
        gt=0,
        description="how often new streams and streams without an owner are looked for",
    )

    model: str = Field(
        default="bundled",
        min_length=1,
        description='"bundled", a folder, a GGUF file, a name that `weir model` knows, or a hub id',
    )
    device: Annotated[str, AfterValidator(rules.device)] = Field(
        default="cpu", description="where the model runs: cpu, cuda or cuda:N"
    )
    dtype: Literal["float32", "bfloat16", "float16"] | None = Field(
        default=None,
        description="number format of arithmetic, and of what has none of its own below; unset: as"
        " suits model and machine, weights and window memory too (`weir plan` says how)",
    )
    kv_dtype: Literal["float32", "bfloat16", "float16", "int8"] | None = Field(
        default=None,
        description="number format of window memory: float32, bfloat16, float16 or int8; unset: as"
        " WEIR_DTYPE, if that is set, else as suits",
    )
    weight_dtype: Literal["same", "int8", "int4"] | None = Field(
        default=None,
        description="number format of the weights of linear layers: int8 or int4 (needs the extra"
        " `quantized`), or the same as WEIR_DTYPE; unset: the same, if that is set, else as suits",
    )
    compute_dtype: Annotated[Literal["int8"] | None, AfterValidator(rules.compute_dtype)] = Field(
        default=None,
        description="int8: what is multiplied with int8 weights is rounded to 8 bits too: faster,"
        " less exact (CPUs with VNNI or AMX); unset: 16 bits",
    )
    compiled_steps: Literal["on", "off"] = Field(
        default="on",
        description="whether tokens of few streams at a time are computed in code that is compiled"
        " once for this processor, where there is a C++ compiler and the model has Llama's shape",
    )
    models_dir: Path = Field(
        default=Path("~/.cache/weir/models"),
        description="models that were added by name, and what GGUF files were converted to",
    )
    adapter: Path | None = Field(
        default=None,
        description="folder of a LoRA adapter (peft's), merged into the weights at the start;"
        " needs the extra `adapters`; unset: none",
    )
    chat_template: str | None = Field(
        default=None,
        description="which of the model's chat templates, if it has several; unset: its default",
    )
    thinking: Literal["off", "on"] = Field(
        default="off",
        description="whether a thinking model thinks before it writes; what it thinks is never "
        "published, nor read again",
    )
    thinking_tokens: int = Field(
        default=256, ge=1, description="how long it may think at a time, in tokens"
    )
    num_threads: int | None = Field(
        default=None,
        ge=1,
        le=1024,
        description="CPU threads of the engine; unset: as many as there are cores",
    )
    num_sinks: int = Field(
        default=rules.DEFAULT_SINKS, ge=0, description="first tokens of a stream that stay visible"
    )
    num_recent: int = Field(
        default=1020, ge=rules.MIN_RECENT, description="last tokens of a stream that are visible"
    )
    num_discard: Annotated[int, AfterValidator(rules.num_discard)] = Field(
        default=1,
        description="recent tokens that leave together when a new one finds no room; -1: half",
    )
    ctx_size: int | None = Field(
        default=None,
        description="sinks and recent tokens together, as llama.cpp and Intel's extension say it",
    )
    n_keep: int | None = Field(default=None, ge=0, description="their name for num_sinks")
    n_discard: Annotated[int | None, AfterValidator(rules.num_discard)] = Field(
        default=None, description="their name for num_discard"
    )
    num_rows: int | None = Field(
        default=None,
        ge=2,
        description="rows of window memory, reserved at the start: sessions computed at a time;"
        " unset: as suits, 4 to 48 on a CPU",
    )
    max_streams: int = Field(
        default=1000,
        ge=1,
        description="streams of one worker; those that are idle are parked, and need no row",
    )
    park_host_bytes: int = Field(
        default=2**30, ge=0, description="host memory for parked sessions; beyond it, to disk"
    )
    park_dir: Path = Field(
        default=Path(".cache/parked"),
        description="where parked sessions are kept on disk; workers may share it",
    )
    max_chunk: int | None = Field(
        default=None,
        ge=1,
        description="tokens of one stream in one step; unset: as suits, 256 for a small model",
    )
    max_step_tokens: Annotated[int | None, AfterValidator(rules.step_tokens)] = Field(
        default=None, ge=1, description="tokens of all streams in one step; unset: four chunks"
    )

    lease_seconds: float = Field(
        default=10.0,
        ge=1,
        description="after how long without a sign of life a stream may be taken over",
    )
    block_seconds: Annotated[float, AfterValidator(rules.block_seconds)] = Field(
        default=0.2, gt=0, le=60, description="how long an idle worker waits for entries at a time"
    )
    read_count: int = Field(default=64, ge=1, description="entries of one stream in one read")
    max_entry_bytes: int = Field(
        default=65536, ge=64, description="larger entries are rejected (names and values together)"
    )

    snapshot_dir: Path = Field(
        default=Path(".cache/snapshots"), description="where sessions are saved for a quick restart"
    )
    snapshot_seconds: float = Field(
        default=60.0, gt=0, description="save a session this often at most"
    )

    restore: Annotated[str, AfterValidator(rules.restore)] = Field(
        default="auto",
        description="capitals and punctuation for text that has neither: by the encoder that comes"
        " with Weir (auto, or encoder), by one of your own (its folder), or not (off)",
    )
    hold_seconds: float = Field(
        default=1.0,
        ge=0,
        description="how long the last words of a text without marks wait for those that follow and"
        " tell where a sentence ends",
    )
    settle: Literal["agreement", "final"] = Field(
        default="agreement",
        description="which words of a recogniser's hypotheses are published: those that two"
        " hypotheses agree on (agreement), or those of final texts only (final)",
    )
    open_seconds: float = Field(
        default=30.0,
        gt=0,
        description="after how long without news a hypothesis is taken as it stands",
    )
    summary_tokens: int = Field(
        default=512, ge=1, description="a summary is due after this many tokens"
    )
    summary_seconds: float = Field(
        default=30.0,
        gt=0,
        description="a summary is due after this long, if there is something new",
    )
    summary_max_tokens: int = Field(default=128, ge=1, description="longest summary, in tokens")
    summary_style: Literal["auto", "free", "quotes"] = Field(
        default="auto",
        description="how summaries are written: in the model's words (free), or as the most telling"
        " sentences that were said (quotes); auto: quotes with the bundled model and with smollm2,"
        " free with any other",
    )
    notes: Literal["quotes", "free", "off"] = Field(
        default="quotes",
        description="notes with each summary: what was said, word for word (quotes), in the words"
        " of a model that you trust with them (free), or none (off)",
    )
    notes_max_tokens: int = Field(
        default=192, ge=48, description="longest answer of a model that is asked for notes"
    )
    prompts: Annotated[
        dict[str, str],
        NoDecode,
        BeforeValidator(rules.questions),
        AfterValidator(rules.question_names),
    ] = Field(
        default={}, description='rolling questions of your own, as JSON: {"name": "question"}'
    )

    transcript_maxlen: int | None = Field(
        default=None, ge=1, description="keep about this many transcript entries; unset: all"
    )
    summary_maxlen: int | None = Field(
        default=None, ge=1, description="keep about this many summaries; unset: all"
    )
    notes_maxlen: int | None = Field(
        default=None, ge=1, description="keep about this many changes of notes; unset: all"
    )
    memory_maxlen: int = Field(
        default=1000, ge=1, description="keep about this many memory entries"
    )

    log_format: Literal["text", "json"] = Field(
        default="text",
        description="how logs are written: as text, or as a JSON object a line, which names stream,"
        " epoch and entry",
    )
    metrics_host: str = Field(
        default="127.0.0.1", description="address of /metrics, /livez and so on"
    )
    metrics_port: int = Field(
        default=9464,
        ge=0,
        le=65535,
        description="port of /metrics, /livez and so on; 0: no such server",
    )

    hung_seconds: float = Field(
        default=120.0,
        ge=0,
        description="a worker whose engine has not gone round for so long ends itself, to be"
        " started anew, but not while a model loads; 0: never",
    )
    stop_seconds: float = Field(
        default=45.0,
        gt=0,
        description="how long the end of a worker may take at most; what is not saved by then is"
        " rebuilt by the next owner",
    )

    @model_validator(mode="before")
    @classmethod
    def _in_our_words(cls, given: dict[str, Any]) -> dict[str, Any]:
        return rules.in_our_words(given)

    @model_validator(mode="after")
    def _check_tls(self) -> "Settings":
        if not any(map(address.uses_tls, filter(None, (self.redis_url, self.broker_url)))):
            for option, path in self._tls_files.items():
                name = ENV_PREFIX + _TLS_FILES[option].upper()
                raise ValueError(f"{name}={str(path)!r}: needs a WEIR_REDIS_URL with rediss://")
        address.load_tls(self._tls_files)
        return self

    @property
    def patterns(self) -> tuple[str, ...]:
        return tuple(part.strip() for part in self.pattern.split(","))

    @property
    def thought_tokens(self) -> int:
        return self.thinking_tokens if self.thinking == "on" else 0

    @property
    def restore_folder(self) -> Path | None:
        """None for the encoder that comes with Weir."""
        return None if self.restore in rules.RESTORING else Path(self.restore)

    @property
    def entry_limits(self) -> EntryLimits:
        return EntryLimits(max_bytes=self.max_entry_bytes)

    @property
    def server(self) -> Server:
        """All that every connection is made from. Not for logs: they get `redis_url`."""
        return self._server(self.redis_url, _secret(self.redis_password, self.redis_password_file))

    @property
    def broker(self) -> Server:
        """The same of Celery's."""
        if not self.broker_url:
            return self.server
        password = _secret(self.broker_password, self.broker_password_file)
        return self._server(self.broker_url, password)

    def _server(self, url: str, password: str | None) -> Server:
        return Server(
            address.full_url(
                url,
                password=password,
                files=self._tls_files if address.uses_tls(url) else {},
                check_hostname=self.redis_check_hostname,
            ),
            kind=address.kind(url),
            hosts=tuple(address.hosts_and_ports(url)),
            primary=address.primary_name(url),
            sentinel_user=address.sentinel_user(url),
            sentinel_password=_secret(self.sentinel_password, self.sentinel_password_file),
        )

    @property
    def _tls_files(self) -> dict[str, Path]:
        files = {option: getattr(self, field) for option, field in _TLS_FILES.items()}
        return {option: path for option, path in files.items() if path is not None}


def _secret(itself: SecretStr | None, file: Path | None) -> str | None:
    if itself is not None:
        return itself.get_secret_value()
    if file is None:
        return None
    return file.read_text(encoding="utf-8").split("\n", 1)[0].rstrip("\r")


def load_settings() -> Settings:
    """The settings of this process' environment. Raises pydantic's ValidationError."""
    return Settings()


def misspelt(
    names: Iterable[str], commands: Iterable[str], command: str, own: Iterable[str]
) -> dict[str, str]:
    """A line for each `WEIR_*` variable in `names` that nothing reads, by its name.

    What begins with the name of one of `commands` is an option of that command alone
    (`WEIR_PUBLISH_RATE`). `own` are the variables that `command` itself reads.
    """
    known = [*(ENV_PREFIX + name.upper() for name in Settings.model_fields), *own]
    of_commands = tuple(f"{ENV_PREFIX}{name}_".upper() for name in commands)
    of_this = f"{ENV_PREFIX}{command}_".upper()
    lines = {}
    for name in sorted(names):
        is_another_s = name.startswith(of_commands) and not name.startswith(of_this)
        if name.startswith(ENV_PREFIX) and name not in known and not is_another_s:
            nearest = get_close_matches(name, known, n=1)
            hint = f"; did you mean {nearest[0]}?" if nearest else ""
            lines[name] = f"{name} is no setting and is passed over{hint}"
    return lines


def settings_error_line(error: ValidationError) -> str:
    """One line: the variable, its value, and what would be valid. For the first thing wrong."""
    errors = error.errors(include_url=False)
    # A value that was given by another name is wrong by both: the user knows the one that he gave.
    first = next((e for e in errors if e["loc"] and e["loc"][0] in rules.THEIR_NAMES), errors[0])
    reason = first["msg"].removeprefix("Value error, ").removeprefix("Input ").rstrip(".")
    if not first["loc"]:  # several of them together
        return reason
    name = ENV_PREFIX + str(first["loc"][0]).upper()
    return f"{name}={_shown(name, first['input'])}: {reason}"


def _shown(name: str, value: object) -> str:
    if "PASSWORD" in name and "FILE" not in name:
        return "***"
    return re.sub(r"//[^@/]*@", "//***@", repr(value)) if "URL" in name else repr(value)
