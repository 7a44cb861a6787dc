"""`weir restore`: raw lines in, written lines out, one for one."""

from __future__ import annotations

from pathlib import Path

import pytest

from worker.cli import main

LINES = ["so thanks everybody for joining", "how are you today", "", "Written already.", "12 000"]


def test_each_line_comes_back_and_what_is_written_stays_as_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "talk.txt"
    file.write_text("\n".join(LINES) + "\n", encoding="utf-8")
    assert main(["restore", str(file)]) == 0
    written = capsys.readouterr().out.splitlines()
    assert [line.lower().rstrip(".?,") for line in written] == [
        line.lower().rstrip(".?,") for line in LINES
    ]
    assert written[0].startswith("So thanks")
    assert written[2:] == LINES[2:]


def test_names_are_written_as_the_lines_before_have_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "talk.txt"
    file.write_text("Then McFadden told us.\nso thanks mcfadden for that\n", encoding="utf-8")
    assert main(["restore", str(file)]) == 0
    assert "McFadden" in capsys.readouterr().out.splitlines()[1]


def test_a_folder_without_an_encoder_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config.json").write_text("{}")
    assert main(["restore", "--restore", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert "python -m ops.restore" in error
    assert error.count("\n") == 1
