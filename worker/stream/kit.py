"""What all streams of one worker share: the engine, the views' tools and the settings."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

from engine import Asked, Desk, Engine, EngineConfig, Highlighter, Punctuator, Session, fitted
from worker.intake.cadence import Cadence
from worker.intake.feed import Line, line_text
from worker.settings.config import Settings
from worker.views.draft import Drafts
from worker.views.instructions import Instructions, instructions_for
from worker.views.notes.highlights import Highlights
from worker.views.notes.notes import NoteMaker
from worker.views.notes.own_words import OwnWords
from worker.views.quotes import Quotes
from worker.views.restore import Restorer
from worker.views.summary import Summariser
from worker.views.transcript import Pace
from worker.watch.metrics import Metrics

# Too small to be trusted with words of their own: what they write was often not said.
INVENTING = ("bundled", "smollm2")
RESTORING_SECONDS = 0.05  # at most: the first words that are there end it


@dataclass(frozen=True)
class Kit:
    """restorer: None if raw text is to be published as it came. note_maker: None for no notes."""

    engine: Engine
    settings: Settings
    metrics: Metrics
    drafts: Drafts
    instructions: Instructions
    summariser: Summariser
    cadence: Cadence
    note_maker: NoteMaker | None
    restorer: Restorer | None
    pace: Pace
    clock: Callable[[], float]  # seconds, monotonic

    @classmethod
    def make(
        cls,
        engine: Engine,
        settings: Settings,
        metrics: Metrics,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> Kit:
        """Raises ValueError if the window is too small for summaries, engine.ConfigError if there
        is no encoder in the folder that restores."""
        instructions = instructions_for(engine.config.model)
        drafts = Drafts(engine)
        summariser = Summariser(
            drafts,
            instructions,
            max_tokens=settings.summary_max_tokens,
            quotes=_quotes(engine, settings),
        )
        return cls(
            engine=engine,
            settings=settings,
            metrics=metrics,
            drafts=drafts,
            instructions=instructions,
            summariser=summariser,
            cadence=Cadence(
                num_recent=_num_rolling(engine),
                num_reserved=summariser.num_reserved,
                num_tokens=settings.summary_tokens,
                num_seconds=settings.summary_seconds,
            ),
            note_maker=_note_maker(drafts, settings, metrics),
            restorer=_restorer(settings, metrics, clock),
            pace=Pace(
                hold_seconds=settings.hold_seconds,
                open_seconds=settings.open_seconds,
                by_agreement=settings.settle == "agreement",
            ),
            clock=clock,
        )

    def wait_for_words(self) -> None:
        """When only words that are being restored are left to do: till some are there."""
        if self.restorer is not None and not self.engine.has_work:
            self.restorer.wait(RESTORING_SECONDS)

    def close(self) -> None:
        if self.restorer is not None:
            self.restorer.close()

    def open_session(self, *, start: int = 0) -> Session:
        """A row that knows the chat's opening and nothing else. Raises engine.NoFreeRow."""
        return self.engine.open(prefix=self.engine.tokenizer.chat_parts().prefix, start=start)

    def line(self, fields: Mapping[str, str]) -> Line:
        """The line of the running text that a transcript entry is."""
        text = line_text(fields)
        tokens = self.engine.tokenizer.encode(text)
        return Line(fields["entry"], tokens, text, fields.get("speaker", ""))


def _note_maker(drafts: Drafts, settings: Settings, metrics: Metrics) -> NoteMaker | None:
    """Raises ValueError if a window is too small for what was asked for."""
    if settings.notes == "off":
        return None
    if settings.notes == "quotes":
        return Highlights(Highlighter.load().salience)
    return OwnWords(
        drafts,
        num_recent=_num_rolling(drafts.engine),
        max_tokens=settings.notes_max_tokens,
        prevented=metrics.prevented,
    )


def _quotes(engine: Engine, settings: Settings) -> Quotes | None:
    invents, style = engine.config.model in INVENTING, settings.summary_style
    if style == "free" or (style == "auto" and not invents):
        return None
    return Quotes(
        Highlighter.load(),
        max_tokens=settings.summary_max_tokens,
        num_tokens=lambda text: len(engine.tokenizer.encode(text)),
    )


def _restorer(settings: Settings, metrics: Metrics, clock: Callable[[], float]) -> Restorer | None:
    if settings.restore == "off":
        return None
    desk = Desk(Punctuator.load(settings.restore_folder))
    return Restorer(desk, clock=clock, took=partial(metrics.view, "transcript"))


def engine_config(settings: Settings) -> EngineConfig:
    """As the settings say, and where they say nothing, as suits the model and this machine.

    Raises engine.ConfigError, engine.ModelRefused."""
    config = fitted(plain_config(settings), asked(settings))
    # Half as many answers are written at a time as there are rows: see Drafts.
    return replace(config, num_sessions=settings.max_streams + config.num_rows)


def setup_line(engine: Engine) -> str:
    """What the engine has been set up with, for whoever wants it otherwise."""
    config, memory = engine.config, engine.memory()
    return (
        f"{config.model} on {config.device}: {config.dtype}, weights in "
        f"{config.weight_dtype or config.dtype} ({engine.model.weight_bytes / 1e6:,.0f} MB), "
        f"{config.num_rows} rows of {config.window.size:,} tokens in "
        f"{config.kv_dtype or config.dtype} ({memory.kv_bytes_total / 1e6:,.0f} MB), chunks of "
        f"{config.max_chunk}; `weir plan` says why, WEIR_* settings change it"
    )


def asked(settings: Settings) -> Asked:
    """What is not left to us."""
    return Asked(**{name: getattr(settings, name) for name in Asked.__dataclass_fields__})


def plain_config(settings: Settings) -> EngineConfig:
    """Without formats, rows and chunks. Raises engine.ConfigError."""
    return EngineConfig(
        model=settings.model,
        num_sinks=settings.num_sinks,
        num_recent=settings.num_recent,
        num_discard=settings.num_discard,
        park_dir=settings.park_dir,
        park_host_bytes=settings.park_host_bytes,
        weight_dtype="int8" if settings.compute_dtype else None,
        compute_dtype=settings.compute_dtype,
        device=settings.device,
        num_threads=settings.num_threads,
        adapter=settings.adapter,
        chat_template=settings.chat_template,
        compiled_steps=settings.compiled_steps == "on",
        models_dir=settings.models_dir,
        thought_tokens=settings.thought_tokens,
    )


def _num_rolling(engine: Engine) -> int:
    """A chat's opening longer than the sinks stays too, at the cost of recent tokens."""
    num_prefix = len(engine.tokenizer.chat_parts().prefix)
    return engine.window.with_sinks(max(engine.window.num_sinks, num_prefix)).num_kept
