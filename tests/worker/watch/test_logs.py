"""Logs as JSON: every line is an object, and says which stream it is about."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.watch.logs import about, set_format


class Log:
    def __init__(self, how: str) -> None:
        self.out = StringIO()
        self.logger = logging.Logger("weir.test")
        self.logger.addHandler(logging.StreamHandler(self.out))
        set_format(self.logger, how)

    def lines(self) -> Iterator[dict[str, object]]:
        return map(json.loads, self.out.getvalue().splitlines())


@given(st.text(st.characters(codec="utf-8")))
def test_any_message_is_one_object_on_one_line(said: str) -> None:
    log = Log("json")
    log.logger.warning("%s", said)
    [line] = log.lines()
    assert line["message"] == said and line["level"] == "warning" and line["logger"] == "weir.test"


def test_a_line_is_about_the_stream_that_is_worked_on_and_no_longer() -> None:
    log = Log("json")
    with about(lambda: {"stream": "live:a", "epoch": 3, "entry": "5-0"}):
        with about(lambda: {"stream": "live:b"}):
            log.logger.info("inner")
        log.logger.info("outer")
    log.logger.info("after")
    inner, outer, after = log.lines()
    assert inner["stream"] == "live:b" and "epoch" not in inner
    assert (outer["stream"], outer["epoch"], outer["entry"]) == ("live:a", 3, "5-0")
    assert "stream" not in after


def test_an_error_that_ends_the_block_ends_what_it_is_about() -> None:
    log = Log("json")
    with pytest.raises(ValueError), about(lambda: {"stream": "live:a"}):
        raise ValueError
    log.logger.info("after")
    assert "stream" not in next(log.lines())


def test_a_traceback_is_in_its_line() -> None:
    log = Log("json")
    try:
        raise ValueError("no")
    except ValueError:
        log.logger.exception("failed")
    [line] = log.lines()
    assert "ValueError: no" in str(line["error"])


def test_text_stays_text() -> None:
    log = Log("text")
    log.logger.warning("hello")
    assert log.out.getvalue() == "hello\n"
