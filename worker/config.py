"""All settings, read once from `WEIR_*` environment variables. Frozen, checked when made.

Each field says in its description what it does; `--help` and the README's table are made from it.
"""

import json
import math
import re
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote, urlsplit, urlunsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from worker.entries import EntryLimits

ENV_PREFIX = "WEIR_"
DEFAULT_SINKS = 4
MIN_RECENT = 16
# llama.cpp and Intel's extension for transformers say how long the window is, not what rolls in it.
THEIR_NAMES = {"n_keep": "num_sinks", "n_discard": "num_discard", "ctx_size": "num_recent"}


def _redis_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("redis", "rediss") or not parts.hostname:
        raise ValueError("must look like redis://127.0.0.1:6379/0 (rediss:// for TLS)")
    if not re.fullmatch(r"/?\d*", parts.path):
        raise ValueError("must end in a database number, as in redis://127.0.0.1:6379/0")
    try:
        _ = parts.port
    except ValueError:
        raise ValueError("must have a port from 0 to 65535, or none for 6379") from None
    return url


def _password_file(path: Path | None) -> Path | None:
    if path is not None:
        try:
            path.read_text(encoding="utf-8")
        except OSError as error:
            raise ValueError(f"cannot be read: {error.strerror}") from None
        except UnicodeDecodeError:
            raise ValueError("must be a UTF-8 text") from None
    return path


def _step_tokens(tokens: int, info: ValidationInfo) -> int:
    num_rows = info.data.get("num_rows", 0)
    if tokens < num_rows:
        raise ValueError(
            f"must be at least WEIR_NUM_ROWS ({num_rows}), so that no session waits for a step"
        )
    return tokens


def _num_recent(ctx_size: Any, num_sinks: Any) -> int:
    try:
        sinks, size = int(num_sinks), int(ctx_size)
    except ValueError:
        return MIN_RECENT  # the fields themselves say that they are no numbers
    if size < sinks + MIN_RECENT:
        raise ValueError(
            f"WEIR_CTX_SIZE={size}: must be at least {sinks + MIN_RECENT}, for {sinks} sinks and "
            f"{MIN_RECENT} recent tokens"
        )
    return size - sinks


def _num_discard(num_discard: int, info: ValidationInfo) -> int:
    num_recent = info.data.get("num_recent", num_discard)
    if num_discard != -1 and not 1 <= num_discard <= num_recent:
        raise ValueError(f"must be 1 to WEIR_NUM_RECENT ({num_recent}), or -1 for half of it")
    return num_discard


def _block_seconds(seconds: float, info: ValidationInfo) -> float:
    lease_seconds = info.data.get("lease_seconds", math.inf)
    if seconds > lease_seconds / 3:
        raise ValueError(
            f"must be at most a third of WEIR_LEASE_SECONDS ({lease_seconds:g}), or streams are "
            "lost while their owner waits"
        )
    return seconds


def _device(device: str) -> str:
    if not re.fullmatch(r"cpu|cuda(:\d+)?", device):
        raise ValueError("must be cpu, cuda or cuda:N")
    return device


def _patterns(pattern: str) -> str:
    if not all(part.strip() for part in pattern.split(",")):
        raise ValueError("must be key patterns with commas between them, as in live:*,talk:*")
    return pattern


def _questions(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value or "{}")
    except json.JSONDecodeError:
        raise ValueError('must be a JSON object, as in {"todo": "Action items so far?"}') from None


def _question_names(prompts: dict[str, str]) -> dict[str, str]:
    for name, question in prompts.items():
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name):
            raise ValueError(f"the name {name!r} must be letters, digits, - and _ (at most 64)")
        if not question.strip():
            raise ValueError(f"{name!r} must have a question")
    return prompts


class Settings(BaseSettings):
    """What a worker and the command line can be told."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, frozen=True, extra="forbid", allow_inf_nan=False
    )

    redis_url: Annotated[str, AfterValidator(_redis_url)] = Field(
        default="redis://127.0.0.1:6379/0",
        description="Redis or Valkey server (7.0 or newer), as a URL",
    )
    redis_password: SecretStr | None = Field(
        default=None, description="password of the server, if it is not in the URL"
    )
    redis_password_file: Annotated[Path | None, AfterValidator(_password_file)] = Field(
        default=None,
        description="file whose first line is the password; or WEIR_REDIS_PASSWORD holds it",
    )
    pattern: Annotated[str, AfterValidator(_patterns)] = Field(
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
        description='"bundled", a local directory, or a Hugging Face id',
    )
    device: Annotated[str, AfterValidator(_device)] = Field(
        default="cpu", description="where the model runs: cpu, cuda or cuda:N"
    )
    dtype: Literal["float32", "bfloat16", "float16"] = Field(
        default="float32",
        description="number format of arithmetic, and of what has none of its own below",
    )
    kv_dtype: Literal["float32", "bfloat16", "float16", "int8"] | None = Field(
        default=None,
        description="number format of window memory: float32, bfloat16, float16 or int8; unset: as"
        " WEIR_DTYPE",
    )
    weight_dtype: Literal["int8", "int4"] | None = Field(
        default=None,
        description="number format of the weights of linear layers: int8 or int4 (needs the extra"
        " `quantized`); unset: as WEIR_DTYPE",
    )
    num_threads: int | None = Field(
        default=None,
        ge=1,
        description="CPU threads of the engine; unset: as many as there are cores",
    )
    num_sinks: int = Field(
        default=DEFAULT_SINKS, ge=0, description="first tokens of a stream that stay visible"
    )
    num_recent: int = Field(
        default=1020, ge=MIN_RECENT, description="last tokens of a stream that are visible"
    )
    num_discard: Annotated[int, AfterValidator(_num_discard)] = Field(
        default=1,
        description="recent tokens that leave together when a new one finds no room; -1: half",
    )
    ctx_size: int | None = Field(
        default=None,
        description="sinks and recent tokens together, as llama.cpp and Intel's extension say it",
    )
    n_keep: int | None = Field(default=None, description="their name for num_sinks")
    n_discard: int | None = Field(default=None, description="their name for num_discard")
    num_rows: int = Field(
        default=48,
        ge=2,
        description="rows of window memory, reserved at the start: sessions computed at a time",
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
    max_chunk: int = Field(default=256, ge=1, description="tokens of one stream in one step")
    max_step_tokens: Annotated[int, AfterValidator(_step_tokens)] = Field(
        default=1024, ge=1, description="tokens of all streams in one step"
    )

    lease_seconds: float = Field(
        default=10.0,
        ge=1,
        description="after how long without a sign of life a stream may be taken over",
    )
    block_seconds: Annotated[float, AfterValidator(_block_seconds)] = Field(
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

    restore: Literal["auto", "off"] = Field(
        default="auto",
        description="capitals and punctuation for text that has neither (auto), or not (off)",
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
        description="how summaries are written: in the model's words (free), or as a choice of what"
        " was said (quotes); auto: quotes with the bundled model, free with any other",
    )
    prompts: Annotated[
        dict[str, str], NoDecode, BeforeValidator(_questions), AfterValidator(_question_names)
    ] = Field(
        default={}, description='rolling questions of your own, as JSON: {"name": "question"}'
    )

    transcript_maxlen: int | None = Field(
        default=None, ge=1, description="keep about this many transcript entries; unset: all"
    )
    summary_maxlen: int | None = Field(
        default=None, ge=1, description="keep about this many summaries; unset: all"
    )
    memory_maxlen: int = Field(
        default=1000, ge=1, description="keep about this many memory entries"
    )

    metrics_host: str = Field(default="127.0.0.1", description="address of /metrics and /healthz")
    metrics_port: int = Field(
        default=9464,
        ge=0,
        le=65535,
        description="port of /metrics and /healthz; 0: no metrics server",
    )

    @model_validator(mode="before")
    @classmethod
    def _in_our_words(cls, given: dict[str, Any]) -> dict[str, Any]:
        """A window that is given in the words of llama.cpp, in ours."""
        said = {name: value for name, value in given.items() if value is not None}
        for theirs, ours in THEIR_NAMES.items():
            if theirs in said and ours in said:
                names = [ENV_PREFIX + name.upper() for name in (theirs, ours)]
                raise ValueError(f"{' and '.join(names)} say the same: leave one of them out")
        own = {ours: said[theirs] for theirs, ours in THEIR_NAMES.items() if theirs in said}
        if "ctx_size" in said:
            num_sinks = own.get("num_sinks", said.get("num_sinks", DEFAULT_SINKS))
            own["num_recent"] = _num_recent(said["ctx_size"], num_sinks)
        return said | own

    @property
    def patterns(self) -> tuple[str, ...]:
        return tuple(part.strip() for part in self.pattern.split(","))

    @property
    def entry_limits(self) -> EntryLimits:
        return EntryLimits(max_bytes=self.max_entry_bytes)

    @property
    def broker_url(self) -> str:
        """`redis_url` with the password in it. Not for logs: they get `redis_url`."""
        password = self._password()
        parts = urlsplit(self.redis_url)
        if password is None or parts.password:
            return self.redis_url
        user_and_host = f"{parts.username or ''}:{quote(password, safe='')}@"
        host = parts.netloc.rpartition("@")[2]
        return urlunsplit(parts._replace(netloc=user_and_host + host))

    def _password(self) -> str | None:
        if self.redis_password is not None:
            return self.redis_password.get_secret_value()
        if self.redis_password_file is None:
            return None
        return self.redis_password_file.read_text(encoding="utf-8").split("\n", 1)[0].strip()


def load_settings() -> Settings:
    """The settings of this process' environment. Raises pydantic's ValidationError."""
    return Settings()


def misspelt(names: Iterable[str], commands: Iterable[str]) -> list[str]:
    """A line for each `WEIR_*` variable in `names` that nothing reads.

    What begins with a command's name is an option of that command alone: `WEIR_PUBLISH_RATE`.
    """
    known = [ENV_PREFIX + name.upper() for name in Settings.model_fields]
    of_commands = tuple(f"{ENV_PREFIX}{command}_".upper() for command in commands)
    lines = []
    for name in sorted(names):
        if name.startswith(ENV_PREFIX) and name not in known and not name.startswith(of_commands):
            nearest = get_close_matches(name, known, n=1)
            hint = f"; did you mean {nearest[0]}?" if nearest else ""
            lines.append(f"{name} is no setting and is passed over{hint}")
    return lines


def settings_error_line(error: ValidationError) -> str:
    """One line: the variable, its value, and what would be valid. For the first thing wrong."""
    first = error.errors(include_url=False)[0]
    reason = first["msg"].removeprefix("Value error, ").removeprefix("Input ").rstrip(".")
    if not first["loc"]:  # several of them together
        return reason
    name = ENV_PREFIX + str(first["loc"][0]).upper()
    return f"{name}={_shown(name, first['input'])}: {reason}"


def _shown(name: str, value: object) -> str:
    return "***" if "PASSWORD" in name and "FILE" not in name else repr(value)
