"""The rolling transcript: each entry's settled words, in order, never invented, never revised."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from worker.intake.entries import Entry
from worker.views.agreement import Agreement, Confirmed
from worker.views.restore import NUM_CONTEXT_WORDS, Restoration, Restorer

Fields = dict[str, str]

OWN_FIELDS = frozenset({"entry", "text", "final", "restored", "continues"})


@dataclass(frozen=True)
class Settling:
    """One entry on its way: its confirmed words, and their restoration if they need one."""

    confirmed: Confirmed
    restoration: Restoration | None


class Transcript:
    """Turns one stream's entries into transcript fields, one entry at a time.

    `settle` is called with the same entry until it answers; only then is the next one due.
    """

    def __init__(self, restorer: Restorer | None, state: dict[str, Any]):
        """restorer: None to publish every text as it came. state: what `to_json` gave."""
        self._restorer = restorer
        self._agreement = Agreement.from_json(state.get("segments", {}))
        self._open_segment: str | None = state.get("open")
        self._context: str = state.get("context", "")
        self._current: Settling | None = None
        self._settled_state = state

    def settle(self, entry: Entry) -> list[Fields] | None:
        """What to publish for `entry` (nothing, if it settles no words); None while the model still
        writes. Raises engine.NoFreeRow: come back after the next step."""
        published = self._settle(entry)
        if published is not None:
            self._settled_state = {
                "segments": self._agreement.to_json(),
                "open": self._open_segment,
                "context": self._context,
            }
        return published

    def _settle(self, entry: Entry) -> list[Fields] | None:
        if self._current is None:
            confirmed = self._confirm(entry)
            if confirmed is None:
                return self._last_words(entry) if entry.end_of_stream else []
            self._current = Settling(confirmed, self._restoration(confirmed.text, entry))
        restoration = self._current.restoration
        text = restoration.advance() if restoration else self._current.confirmed.text
        if text is None:
            return None
        settled, self._current = self._current, None
        lines = [self._fields(entry, settled, text)]
        return [*self._last_words(entry), *lines] if entry.end_of_stream else lines

    def _last_words(self, end: Entry) -> list[Fields]:
        """What the recogniser never came to confirm, as it last had it, and the mark of the end."""
        rest = self._agreement.finish()
        lines = [
            {"entry": end.id, "text": confirmed.text, "final": "1"} | ({"segment": s} if s else {})
            for s, confirmed in rest.items()
        ]
        if end.text:
            return lines
        return [*lines, _carried(end) | {"text": "", "final": "1"}]

    def to_json(self) -> dict[str, Any]:
        """As it was when the last entry was settled: one on its way will be taken in again."""
        return self._settled_state

    def close(self) -> None:
        if self._current and self._current.restoration:
            self._current.restoration.close()
        self._current = None

    def _confirm(self, entry: Entry) -> Confirmed | None:
        if entry.final and entry.segment is None:
            return Confirmed(entry.text, 0, True) if entry.text else None
        return self._agreement.take(entry.segment or "", entry.text, final=entry.final)

    def _restoration(self, text: str, entry: Entry) -> Restoration | None:
        if self._restorer is None or not self._restorer.wants(text, entry.lang):
            return None
        return self._restorer.begin(text, before=self._context, after="", names={})

    def _fields(self, entry: Entry, settled: Settling, text: str) -> Fields:
        segment, is_final = entry.segment or "", settled.confirmed.is_final
        continues = settled.confirmed.part > 0 and self._open_segment == segment
        self._open_segment = None if is_final else segment
        self._context = " ".join(text.split()[-NUM_CONTEXT_WORDS:])
        fields = _carried(entry) | {"text": text, "final": "1" if is_final else "0"}
        if settled.restoration:
            fields["restored"] = "1"
        if continues:
            fields["continues"] = "1"
        return fields


def _carried(entry: Entry) -> Fields:
    """What goes from the input entry to the output as it came; an unknown field whose name the
    output has a meaning for keeps its value under `input.NAME`."""
    known = {
        "entry": entry.id,
        "speaker": entry.speaker,
        "start": entry.start,
        "end": entry.end,
        "segment": entry.segment,
        "lang": entry.lang,
        "end_of_stream": "1" if entry.end_of_stream else None,
    }
    extra = {f"input.{n}" if n in OWN_FIELDS else n: value for n, value in entry.extra.items()}
    return extra | {name: str(value) for name, value in known.items() if value is not None}
