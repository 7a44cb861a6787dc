"""Names that services give to the fields of an entry, in ours. Pure.

A name of theirs counts only where ours is absent and its value can be read; otherwise it goes
through as any other field that has no meaning here. Names that mean several things in the wild
(`content`, `id`, `time`, `duration`, `offset`) are none of these.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from worker.intake.values import finality, flag, is_absent, seconds


def _as_it_is(value: str) -> str | None:
    return None if is_absent(value) else value


def _in_seconds(value: str) -> str | None:
    return value if seconds(value) is not None else None


def _of_milliseconds(value: str) -> str | None:
    with_unit = f"{value.strip()}ms"
    return with_unit if seconds(with_unit) is not None else None


def _final(value: str) -> str | None:
    return None if finality(value) is None else value


def _not(value: str) -> str | None:
    yes = flag(value)
    return None if yes is None else str(int(not yes))


# (ours, how a value is read, theirs); the first that is there and can be read counts.
_THEIRS: tuple[tuple[str, Callable[[str], str | None], str], ...] = (
    ("text", str, "transcript Transcript DisplayText"),
    ("speaker", _as_it_is, "speaker_label speakerLabel speaker_name speakerName speaker_id"),
    ("speaker", _as_it_is, "speakerId SpeakerId speakerTag speaker_tag Speaker"),
    ("start", _in_seconds, "start_time startTime StartTime start_seconds startOffset"),
    ("start", _of_milliseconds, "start_ms startMs audio_start offsetMilliseconds"),
    ("end", _in_seconds, "end_time endTime EndTime end_seconds endOffset resultEndOffset"),
    ("end", _of_milliseconds, "end_ms endMs audio_end"),
    ("final", _final, "is_final isFinal IsFinal end_of_turn message_type messageType"),
    ("final", _not, "is_partial isPartial IsPartial"),
    ("segment", _as_it_is, "segment_id segmentId result_id resultId ResultId"),
    ("lang", _as_it_is, "language language_code languageCode LanguageCode locale"),
)


_ALL_THEIRS = frozenset(name.encode() for _, _, names in _THEIRS for name in names.split())


def in_our_words(fields: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
    """The fields of an entry with their names in ours, each at the place that it had."""
    if _ALL_THEIRS.isdisjoint(fields):  # nearly always
        return dict(fields)
    renamed: dict[bytes, tuple[bytes, bytes]] = {}
    for ours, read, theirs in _candidates():
        taken = ours in fields or any(name == ours for name, _ in renamed.values())
        value = None if taken or theirs not in fields else _read(read, fields[theirs])
        if value is not None:
            renamed[theirs] = (ours, value)
    return dict(renamed.get(name, (name, value)) for name, value in fields.items())


def _candidates() -> Iterator[tuple[bytes, Callable[[str], str | None], bytes]]:
    for ours, read, names in _THEIRS:
        for theirs in names.split():
            yield ours.encode(), read, theirs.encode()


def _read(read: Callable[[str], str | None], value: bytes) -> bytes | None:
    try:
        return None if (text := read(value.decode("utf-8"))) is None else text.encode()
    except UnicodeDecodeError:
        return None
