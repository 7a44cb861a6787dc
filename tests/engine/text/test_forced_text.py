"""What a grammar leaves no choice of is forced, and the whole text matches all the same."""

from __future__ import annotations

import json
import re

import pytest

from engine import GenerateRequest, Grammars, Sampling
from engine.config import EngineConfig
from engine.engine import Engine
from engine.schedule.generation import Only

PATTERN = r'\{"kind": "(topic|decision)", "cites": \[[0-9]{1,2}\]\}'


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine.load(EngineConfig("bundled", num_recent=124, num_rows=2))


def written(engine: Engine, seed: int) -> tuple[str, int]:
    """The text, and in how many steps it was written."""
    session = engine.open()
    constraint = Grammars(engine.tokenizer).regex(PATTERN)
    request = GenerateRequest(64, constraint=constraint, sampling=Sampling(1.5), seed=seed)
    engine.generate(session, engine.tokenizer.encode("Notes:"), request)
    num_steps = 0
    while session.is_generating:
        engine.step()
        num_steps += 1
    text = engine.tokenizer.decode(session.generated)
    engine.close(session)
    return text, num_steps


@pytest.mark.parametrize("seed", range(4))
def test_the_text_matches_and_its_fixed_parts_take_no_steps(engine: Engine, seed: int) -> None:
    text, num_steps = written(engine, seed)
    assert re.fullmatch(PATTERN, text)
    assert json.loads(text)["kind"] in ("topic", "decision")
    assert num_steps < len(engine.tokenizer.encode(text)) / 2


def test_one_token_is_left_where_one_text_is(engine: Engine) -> None:
    constraint = Grammars(engine.tokenizer).regex("good morning everyone|good evening")
    allowed = constraint.allowed()
    assert isinstance(allowed, Only)
    assert list(allowed.ids) == engine.tokenizer.encode("good morning")[:1]
