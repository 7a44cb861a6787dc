"""The measurements of parking, on a small scale: they check what they measure."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench import parked_sessions, parking
from worker.settings.config import Settings


def test_sessions_on_few_rows_answer_as_those_with_a_row_each(
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = ["--sessions", "24", "--rows", "8", "--arrivals", "40", "--host-mib", "1"]
    assert parked_sessions.main(arguments) == 0
    assert "equal answers: 24 of 24" in capsys.readouterr().out


def test_the_load_is_read_whole_and_in_order(
    weir_settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, redis: object
) -> None:
    """`run` ends with a look at every transcript."""
    monkeypatch.setattr(parking, "SECONDS_OF_TALK", 0.2)
    monkeypatch.setattr(parking, "SECONDS_OF_REST", 0.5)
    load = parking.Load(
        num_streams=40,
        num_rows=4,
        num_entries=2,
        num_recent=156,
        park_host_bytes=500_000,
        entries_per_second=1000,
        summary_seconds=3600,
    )
    figures, moves = parking.run(load, weir_settings.redis_url, tmp_path)
    assert figures.entries == 80
    assert figures.sessions_in_host + figures.sessions_on_disk >= 40 - 4
    assert moves["seat"].num_sessions > 0
    assert moves["park"].num_sessions > 0
