"""Whatever the pages tell a reader to type works, on a real server and with a real worker."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from redis import Redis

from ops.docs import ROOT
from tests.docs.blocks import TO_LOOK_AT, TO_TYPE, Block, blocks
from tests.docs.reader import PATIENCE_SECONDS, Reader
from worker.keyspace.embedded import EmbeddedServer

BLOCKS = list(blocks())


@pytest.mark.timeout(3 * PATIENCE_SECONDS)
def test_every_block_that_is_not_marked_runs(
    redis: Redis, redis_server: EmbeddedServer, tmp_path: Path
) -> None:
    """In the order of the pages, with one worker for all: README.md starts it."""
    to_run = [block for block in BLOCKS if block.is_run]
    assert len(to_run) > 10
    with Reader(tmp_path, redis_server.port) as reader:
        failed = [said for block in to_run if (said := reader.run(block)) is not None]
        failed += reader.ended_early()
    assert not failed, "\n\n".join(failed)


def test_a_block_that_fails_is_told_with_its_place(
    redis_server: EmbeddedServer, tmp_path: Path
) -> None:
    wrong = Block("page.md:3", ROOT / "page.md", "sh", "true\nweir no-such-command\ntrue\n", "")
    with Reader(tmp_path, redis_server.port) as reader:
        said = reader.run(wrong)
    assert said is not None
    assert said.startswith("page.md:3: exit code 2\n")
    assert "no-such-command" in said


def test_no_block_hides_behind_a_language_that_nobody_runs() -> None:
    strange = [b.place for b in BLOCKS if b.language not in (*TO_TYPE, *TO_LOOK_AT)]
    assert strange == []
    fences = sum(page.read_text().count("```") for page in {block.page for block in BLOCKS})
    assert fences == 2 * len(BLOCKS)


def test_data_for_other_programs_can_be_read() -> None:
    for block in BLOCKS:
        if block.language in ("yaml", "json"):  # JSON is YAML
            assert isinstance(yaml.safe_load(block.text), dict), block.place


def test_a_block_that_is_not_run_says_why() -> None:
    for block in BLOCKS:
        if not block.is_run and block.language in TO_TYPE:
            assert re.match(r"not run: \w+|run by tests/\S+\.py$", block.marker), block.place


def test_what_is_said_to_be_run_by_another_test_is_read_by_it() -> None:
    for block in BLOCKS:
        if block.marker.startswith("run by "):
            test = (ROOT / block.marker.removeprefix("run by ")).read_text(encoding="utf-8")
            assert f'"{block.page.name}"' in test, block.place
