"""Captions as speech: who says what and when, without markup."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from worker.formats import cues
from worker.formats.cues import Cue
from worker.formats.names import Said, said_by
from worker.formats.rolling import unrolled
from worker.formats.rows import Row, row

_VOICE = re.compile(r"<v(?:\.[^\s>]*)?\s+([^>]*)>")
_ANY_TAG = re.compile(r"</?[A-Za-z0-9][^>]*>")  # times within a cue look like tags too
_SUBRIP_TAG = re.compile(r"</?(?:[bisuv]|font|c|em|strong|br)(?:[ .][^>]*)?/?>|\{\\[^}]*\}", re.I)
_TURN = re.compile(r"^(?:>>+)\s*")  # a new speaker, as television writes it


def subrip_rows(text: str) -> Iterator[Row]:
    return _rows(cues.subrip(text), _without_subrip_tags)


def sbv_rows(text: str) -> Iterator[Row]:
    return _rows(cues.sbv(text), _without_subrip_tags)


def webvtt_rows(text: str) -> Iterator[Row]:
    read = [_spoken(cue) for cue in cues.webvtt(text)]
    if any(_VOICE.search(line) for cue in read for line in cue.lines):
        return _by_speaker(read, [list(_voices(cue)) for cue in read])
    return _rows(read, _without_tags)


def _spoken(cue: Cue) -> Cue:
    """A caption may hold data instead of words: what Teams keeps of a meeting has the words in
    it, and other data is not said."""
    text = "\n".join(cue.lines)
    if not (text.startswith("{") and text.endswith("}")):
        return cue
    try:
        data = json.loads(text)
    except ValueError:
        return cue
    said, speaker = (data.get(key) for key in ("spokenText", "speakerName"))
    if not isinstance(said, str):
        return replace(cue, lines=())
    voice = f"<v {html.escape(speaker)}>" if isinstance(speaker, str) else ""
    return replace(cue, lines=(voice + html.escape(said),))


def _rows(read: Iterator[Cue] | Sequence[Cue], clean: Callable[[str], str]) -> Iterator[Row]:
    shown = unrolled([_plain(cue, clean) for cue in read])
    return _by_speaker(shown, said_by([cue.lines for cue in shown]))


def _by_speaker(shown: Sequence[Cue], said: Sequence[Sequence[Said]]) -> Iterator[Row]:
    for cue, parts in zip(shown, said, strict=True):
        for speaker, text in parts:
            if read := row(text, speaker=speaker, start=cue.start, end=cue.end):
                yield read


def _voices(cue: Cue) -> Iterator[Said]:
    """Several may speak in one cue; what stands before the first name is nobody's."""
    nobody, *parts = _VOICE.split("\n".join(cue.lines))
    yield None, _without_tags(nobody)
    for name, text in zip(parts[0::2], parts[1::2], strict=True):
        yield html.unescape(name).strip(), _without_tags(text)


def _plain(cue: Cue, clean: Callable[[str], str]) -> Cue:
    lines = (_TURN.sub("", clean(line).strip()) for line in cue.lines)
    return replace(cue, lines=tuple(line for line in lines if line))


def _without_tags(text: str) -> str:
    return html.unescape(_ANY_TAG.sub("", text))


def _without_subrip_tags(text: str) -> str:
    return _SUBRIP_TAG.sub("", text)
