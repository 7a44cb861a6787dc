"""A step is taken apart into the model's own work and the engine's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from engine.attention.hook import IMPLEMENTATION
from engine.bench.anatomy import (
    ATTENTION,
    ENGINE_OPERATIONS,
    ENGINE_PYTHON,
    LINEAR,
    MODEL,
    MODEL_PYTHON,
    OPERATIONS,
    PARTS,
    PLANNING,
    PRODUCTS,
    STEP,
    dissect_events,
    measure_anatomy,
)
from engine.bench.dissect import dissect
from engine.bench.subject import Subject, open_subject


@dataclass
class Event:
    """As the profiler tells it: an operation or a range, its own time, and those within it."""

    name: str
    self_cpu_time_total: float
    cpu_children: list[Event] = field(default_factory=list)


@pytest.fixture
def subject(tiny_model: Path) -> Iterator[Subject]:
    with open_subject(str(tiny_model), "float32", num_rows=1, num_threads=1) as subject:
        yield subject


def test_time_goes_to_the_part_that_it_was_spent_in() -> None:
    attention = Event(
        ATTENTION,
        3.0,
        [
            Event("aten::baddbmm_", 8.0, [Event("aten::expand", 1.0)]),
            Event("aten::softmax", 0.0, [Event("aten::_softmax", 2.0)]),
            Event("aten::index_put_", 4.0),
        ],
    )
    linear = Event("aten::linear", 1.0, [Event("aten::addmm", 70.0)])
    model = Event(MODEL, 5.0, [linear, attention, Event("aten::mul", 2.0)])
    step = Event(STEP, 3.0, [Event("aten::tensor", 1.0), model])
    # A step that was held up in one place does not move the medians of three.
    held_up = Event(STEP, 3.0, [Event("aten::tensor", 1.0), model, Event("aten::mul", 900.0)])
    shares, costliest = dissect_events([step, held_up, step])
    assert shares == {
        LINEAR: 0.71,
        PRODUCTS: 0.11,
        OPERATIONS: 0.02,
        MODEL_PYTHON: 0.05,
        ENGINE_OPERATIONS: 0.04,
        ENGINE_PYTHON: 0.03,
        PLANNING: 0.04,
    }
    assert costliest == {
        "aten::index_put_": 0.04,
        ATTENTION: 0.03,
        STEP: 0.03,
        "aten::tensor": 0.01,
    }


def test_a_step_is_found_whole_and_the_model_is_left_as_it_was(subject: Subject) -> None:
    told: list[int] = []
    anatomy = measure_anatomy(subject, 8, 2, told.append)
    assert list(anatomy.shares) == list(PARTS)
    assert sum(anatomy.shares.values()) == pytest.approx(1.0)
    assert all(share > 0 for share in anatomy.shares.values())
    assert 0 < anatomy.engine_share < 1
    assert sum(told) == 6
    model = subject.engine.model.hf
    assert model.config._attn_implementation == IMPLEMENTATION
    assert not model.base_model._forward_hooks and not model.base_model._forward_pre_hooks
    assert subject.engine.num_free_rows == 1


def test_last_line_is_one_json_object(tiny_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dissect(
        models=[str(tiny_model)], dtypes=["float32"], num_steps=1, num_threads=1, json_path=None
    )
    summary = json.loads(capsys.readouterr().out.splitlines()[-1])
    chunk, single = summary["results"][f"{tiny_model} float32"]
    assert (chunk["num_tokens"], single["num_tokens"]) == (256, 1)
    aim = summary["aims"][f"{tiny_model} float32"]["engine_share"]
    assert aim["met"] == (aim["got"] <= 0.1)
