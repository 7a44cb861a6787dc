"""The fenced blocks of the pages: what a reader may type, and what is said of it to the tests.

A comment right before a block says that it is not simply run:

    <!-- not run: REASON -->     it needs what a test does not have, or takes too long
    <!-- run by FILE -->         that test runs it, and checks more than that it ends well
    <!-- keeps running -->       it runs until the last block of all pages has
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ops.docs import PAGES

_FENCE = re.compile(
    r"(?:<!-- (?P<marker>[^>]*) -->\n)?```(?P<language>\w*)\n(?P<text>.*?)^```$", re.M | re.S
)
TO_TYPE = ("sh", "python")
TO_LOOK_AT = ("text", "yaml", "json")


@dataclass(frozen=True)
class Block:
    place: str  # page:line
    page: Path
    language: str
    text: str
    marker: str

    @property
    def is_run(self) -> bool:
        return self.language in TO_TYPE and self.marker in ("", "keeps running")


def blocks() -> Iterator[Block]:
    """Of all pages, in the order in which somebody reads them: README.md first."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for found in _FENCE.finditer(text):
            line = text.count("\n", 0, found.start("text"))
            yield Block(
                f"{page.name}:{line}",
                page,
                found["language"],
                found["text"],
                (found["marker"] or "").strip(),
            )
