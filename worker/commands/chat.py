"""Chat with a model for as long as you like: answers come as they are decoded, the window rolls,
and memory stays level.

The bundled model is tiny and a poor talker: it shows that the chat goes on, not what a model knows.
/memory shows the figures, /quit or Ctrl-D ends, Ctrl-C stops an answer and, pressed again, ends.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import psutil

import engine
from engine import EngineError
from worker.commands.interrupts import Interrupts
from worker.commands.script import user_texts
from worker.settings.options import UsageError, add_settings, settings_from
from worker.settings.rules import THEIR_NAMES, is_utf8

if TYPE_CHECKING:
    from worker.settings.config import Settings

FORMATS = ("dtype", "kv_dtype", "weight_dtype")
WINDOW = ("num_sinks", "num_recent", "num_discard")
OTHERS = ("model", "device", "num_threads", "adapter", "chat_template", "models_dir", *WINDOW)
SAMPLING = {
    "temperature": float,
    "top_k": int,
    "top_p": float,
    "min_p": float,
    "repetition_penalty": float,
}
THINKING = ("thinking", "thinking_tokens")
MAX_SEED = 2**32
GREY, PLAIN = "\x1b[90m", "\x1b[0m"
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (__doc__ or "").partition("\n\n")[2]
    parser.add_argument(
        "--turns", metavar="FILE", help="play a script: one text a line; - is standard input"
    )
    parser.add_argument("--system", metavar="TEXT", help="system prompt; stays visible for ever")
    parser.add_argument(
        "--max-tokens", type=int, default=256, metavar="N", help="of an answer (default: 256)"
    )
    for name, kind in SAMPLING.items():
        option = f"--{name.replace('_', '-')}"
        parser.add_argument(
            option, type=kind, metavar="N", help="(default: as the model's makers say, else greedy)"
        )
    parser.add_argument(
        "--stop",
        action="append",
        default=[],
        metavar="TEXT",
        help="ends an answer; may be given again",
    )
    parser.add_argument("--seed", type=_seed, default=0, metavar="N", help="(default: 0)")
    parser.add_argument("--save", metavar="FILE", help="keep the chat there when it ends")
    parser.add_argument("--resume", metavar="FILE", help="go on with the chat kept there")
    parser.add_argument(
        "--show-thinking", action="store_true", help="think (--thinking on), and show it in grey"
    )
    add_settings(parser, (*OTHERS, *FORMATS, "compute_dtype", *THINKING, *reversed(THEIR_NAMES)))


def run(arguments: argparse.Namespace) -> int:
    settings = settings_from(arguments)
    if not is_utf8(arguments.system or ""):
        raise UsageError("--system is not UTF-8")
    script = arguments.turns or (None if sys.stdin.isatty() else "-")
    try:
        with user_texts(script) as texts, closing(_begun(settings, arguments)) as chat:
            if script is None:
                print(_welcome(settings.model))
            talk = _Talk(
                chat, sys.stdout, echoes=script is not None, thinks_aloud=arguments.show_thinking
            )
            if arguments.resume:
                chat.resume(Path(arguments.resume))
            talk.hold(texts)
            if arguments.save and chat.session:
                chat.save(Path(arguments.save))
    except (EngineError, OSError) as error:
        sys.stderr.write(f"weir chat: {error}\n")
        return 2
    return 0


class _Talk:
    """One chat on a terminal, or wherever standard output goes."""

    def __init__(self, chat: engine.Chat, out: TextIO, *, echoes: bool, thinks_aloud: bool) -> None:
        """`echoes`: nobody has typed the user's texts here, so they are shown.
        `thinks_aloud`: what the model thinks is shown as well."""
        self._chat = chat
        self._out = out
        self._echoes = echoes
        self._thinks_aloud = thinks_aloud
        self._interrupts = Interrupts()

    def hold(self, texts: Iterable[str]) -> None:
        """Until the texts end or one of them is /quit. The figures come last, however it ends."""
        try:
            for text in map(str.strip, texts):
                if text == "/quit":
                    break
                if text == "/memory":
                    self._show_memory()
                elif text:
                    self._turn(text)
        finally:
            if not self._echoes:
                self._out.write("\n")  # Ctrl-D and Ctrl-C leave the cursor after the prompt
            self._show_memory()

    def _turn(self, text: str) -> None:
        if self._echoes:
            self._out.write(f"> {text}\n")
        else:
            self._interrupts.forget()
        if num_too_many := self._chat.num_too_many(text):
            self._write(f"[{num_too_many:,} tokens too long: its beginning is not seen]\n")
        with self._interrupts, closing(self._chat.say(text, thought=self._think)) as pieces:
            for piece in pieces:
                self._write(piece)
                if self._interrupts.came:
                    break
            else:
                self._interrupts.forget()
        self._out.write("\n\n")

    def _think(self, piece: str) -> None:
        if self._thinks_aloud and piece:
            is_grey = self._out.isatty()
            self._write(piece, before=GREY if is_grey else "", after=PLAIN if is_grey else "")

    def _write(self, piece: str, *, before: str = "", after: str = "") -> None:
        # A model's text must not move the cursor or ring the bell.
        if self._out.isatty():
            piece = _CONTROLS.sub("", piece)
        self._out.write(f"{before}{piece}{after}")
        self._out.flush()

    def _show_memory(self) -> None:
        chat = self._chat
        memory = chat.engine.memory()
        rss = psutil.Process().memory_info().rss
        self._out.write(
            f"[{chat.num_seen:,} tokens seen, {chat.num_slid_out:,} slid out; window "
            f"{chat.window_fill:,}/{chat.engine.window.size:,}, KV {memory.kv_bytes_total:,} "
            f"bytes, RSS {rss / 1e6:,.0f} MB]\n"
        )
        self._out.flush()


def _begun(settings: Settings, arguments: argparse.Namespace) -> engine.Chat:
    is_aloud = arguments.show_thinking
    config = engine.EngineConfig(
        num_rows=1,
        num_sessions=2,  # a thinking model answers on a copy
        thought_tokens=settings.thinking_tokens if is_aloud else settings.thought_tokens,
        weight_dtype="int8" if settings.compute_dtype else None,
        compute_dtype=settings.compute_dtype,
        compiled_steps=settings.compiled_steps == "on",
        **{name: getattr(settings, name) for name in OTHERS},
    )
    asked = {name: getattr(settings, name) for name in FORMATS}
    loaded = engine.Engine.load(engine.fitted(config, engine.Asked(num_rows=1, **asked)))
    return engine.Chat(
        loaded,
        system=arguments.system,
        max_tokens=arguments.max_tokens,
        sampling=_sampling(loaded.model.sampling, arguments),
        seed=arguments.seed,
        stop=arguments.stop,
    )


def _welcome(model: str) -> str:
    line = f"{model}: /memory shows figures, /quit or Ctrl-D ends, Ctrl-C stops an answer"
    return f"{line}\n(a tiny model and a poor talker: see --model)" if model == "bundled" else line


def _sampling(makers: engine.Sampling, arguments: argparse.Namespace) -> engine.Sampling:
    """What was asked for, and the makers' wish where nothing was. ConfigError."""
    asked = {name: getattr(arguments, name) for name in SAMPLING}
    return replace(makers, **{name: value for name, value in asked.items() if value is not None})


def _seed(text: str) -> int:
    with suppress(ValueError):
        if 0 <= int(text) < MAX_SEED:
            return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} must be a whole number from 0 to {MAX_SEED - 1}")
