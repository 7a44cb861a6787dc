"""The form of a model's notes: a grammar that can cite, name and count only what there is. Pure.

An answer is JSON lines, an operation a line, so what a token limit cuts off is the last operation
and no more. `grammar` is in the dialect of Lark that llguidance reads; `operations` reads answers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from worker.views.notes.item import KINDS, Add, Operation, Resolve, Revise
from worker.views.notes.sourced import COUNTING, OPENING, Source

Cited = Mapping[int, tuple[str, ...]]

MAX_OPERATIONS = 6
MAX_CITED = 3  # lines, of one operation
NOTHING = '{"do":"nothing"}'
_PLAIN = re.compile(r"[^\s\"\\/\x00-\x1f]+(?: [^\s\"\\/\x00-\x1f]+)*")


@dataclass(frozen=True)
class Choices:
    """What an answer can name. lines: handles of the lines; ids: of the items that are open."""

    lines: Sequence[int]
    ids: Sequence[str]
    speakers: Sequence[str]
    dues: Sequence[str]
    source: Source


def grammar(choices: Choices) -> str:
    revising = [_REVISE, _RESOLVE] if choices.ids else []
    rules = [
        f"start: {json.dumps(NOTHING)} | op (/\\n/ op){{0,{MAX_OPERATIONS - 1}}}",
        f"op: {' | '.join(['add', 'revise', 'resolve'] if choices.ids else ['add'])}",
        _ADD,
        *revising,
        f'cites: LINE ("," LINE){{0,{MAX_CITED - 1}}}',
        _terminal("LINE", map(str, choices.lines)),
        _terminal("KIND", KINDS),
        _terminal("ID", choices.ids) if choices.ids else "",
        _text(choices.source),
        *_about(choices),
    ]
    return "\n".join(rule for rule in rules if rule)


def _rule(name: str, *parts: str) -> str:
    """Parts in capitals, or `cites`, are of the grammar; the others stand as they are."""
    written = [p if p.isupper() or p in ("cites", "about") else json.dumps(p) for p in parts]
    return f"{name}: {' '.join(written)}"


_ADD = _rule(
    *("add", '{"do":"add","kind":"', "KIND", '","cites":[', "cites", '],"text":"', "TEXT", '"'),
    *("about", "}"),
)
_REVISE = _rule(
    *("revise", '{"do":"revise","id":"', "ID", '","cites":[', "cites", '],"text":"', "TEXT", '"'),
    *("about", "}"),
)
_RESOLVE = _rule("resolve", '{"do":"resolve","id":"', "ID", '","cites":[', "cites", "]}")


def _about(choices: Choices) -> list[str]:
    """Who and by when, if somebody and some day were named."""
    named = {"who": _plain(choices.speakers), "due": _plain(choices.dues)}
    there = {name: words for name, words in named.items() if words}
    opened = {name: json.dumps(f',"{name}":"') for name in there}
    closed = json.dumps('"')
    parts = [f"({opened[name]} {name.upper()} {closed})?" for name in there]
    terminals = [_terminal(name.upper(), words) for name, words in there.items()]
    return [*terminals, f"about: {' '.join(parts) or json.dumps('')}"]


def _text(source: Source) -> str:
    """A sentence. Letters of scripts that have no capitals are small ones."""
    said = _plain(source.claims)
    opening = {*OPENING, *(word.capitalize() for word in source.small if word not in COUNTING)}
    return "\n".join(
        [
            r"LETTERS: /[\p{Ll}\p{Lo}\p{M}]+/",
            _terminal("COUNTING", COUNTING),
            "SMALL: LETTERS & ~COUNTING",
            r"SUFFIX: /['’](s|t|re|ve|ll|d|m)/",
            _terminal("CLAIM", said) if said else "",
            _terminal("OPENING", _plain(opening)),
            f"WORD: ({'CLAIM | ' if said else ''}SMALL (/-/ SMALL)*) SUFFIX? /[,;:]?/",
            f"FIRST: ({'CLAIM | ' if said else ''}OPENING) SUFFIX? /,?/",
            "TEXT: FIRST (/ / WORD){2,28} /[.?!]/",
        ]
    )


def _terminal(name: str, words: Iterable[str]) -> str:
    return f"{name}: /{'|'.join(map(_escaped, sorted(set(words), key=lambda w: (-len(w), w))))}/"


def _escaped(word: str) -> str:
    return re.sub(r"([\\.^$|?*+()\[\]{}/&~#-])", r"\\\1", word)


def _plain(words: Iterable[str]) -> list[str]:
    """Those that JSON writes as they are."""
    return sorted(word for word in set(words) if _PLAIN.fullmatch(word))


def operations(answer: str, cited: Cited) -> list[Operation]:
    """cited: the entries of each line. What is no whole operation, because the answer was cut off
    in it, is none."""
    found = list[Operation]()
    for line in answer.splitlines():
        try:
            fields = json.loads(line)
        except ValueError:
            continue
        operation = _operation(fields, cited)
        found += [operation] if operation else []
    return found


def _operation(fields: Mapping[str, Any], cited: Cited) -> Operation | None:
    entries = (entry for line in fields.get("cites", ()) for entry in cited[line])
    cites = tuple(dict.fromkeys(entries))
    text, who, due = (str(fields.get(name, "")) for name in ("text", "who", "due"))
    match fields.get("do"):
        case "add":
            return Add(fields["kind"], text, cites, who, due)
        case "revise":
            return Revise(fields["id"], text, cites, who, due)
        case "resolve":
            return Resolve(fields["id"], cites)
    return None
