"""A model that people use, SmolLM2 of 135 million weights, where it was added; CI adds it first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel

from engine.chat.chat import Chat
from engine.config import EngineConfig
from engine.engine import Engine
from engine.model.added import AddedModels
from engine.model.lone_stream import LoneStream
from engine.model.source import source_of
from engine.schedule.generation import GREEDY, GenerateRequest
from tests.engine.streams import run

NAME = "smollm2"
CONFIG = EngineConfig(NAME, num_sinks=4, num_recent=60, num_rows=3, max_chunk=32)
ROOT = Path(__file__).parents[2]
MIB = 2**20

pytestmark = [
    pytest.mark.real_model,
    pytest.mark.timeout(600),  # the first run converts it
    pytest.mark.skipif(
        AddedModels(CONFIG.models_dir).folder_of(NAME) is None,
        reason=f"{NAME} is not here: weir model add {NAME}",
    ),
]


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine.load(CONFIG)


@pytest.fixture(scope="module")
def stock() -> Iterator[PreTrainedModel]:
    """The same weights as transformers runs them: nothing of ours is in it."""
    yield AutoModelForCausalLM.from_pretrained(source_of(CONFIG), attn_implementation="eager")


def page(engine: Engine) -> list[int]:
    """Text that people wrote, some thousands of tokens."""
    return engine.tokenizer.encode((ROOT / "README.md").read_text(encoding="utf-8"))


@torch.inference_mode()
def test_inside_the_window_it_computes_what_transformers_does(
    engine: Engine, stock: PreTrainedModel
) -> None:
    ids = page(engine)[:56]
    stream = LoneStream(engine.model, engine.window)
    pieces = [ids[:24], ids[24:25], ids[25:26], ids[26:]]
    found = torch.cat([stream.feed(piece) for piece in pieces])
    torch.testing.assert_close(found, stock(torch.tensor([ids])).logits[0], rtol=1e-3, atol=1e-3)


@torch.inference_mode()
def test_it_continues_as_transformers_does(engine: Engine, stock: PreTrainedModel) -> None:
    ids = page(engine)[:24]
    session = engine.open()
    engine.generate(session, ids, GenerateRequest(max_tokens=16, sampling=GREEDY))
    run(engine)
    engine.close(session)
    whole = stock.generate(torch.tensor([ids]), max_new_tokens=16, do_sample=False)
    assert session.generated == whole[0, len(ids) :].tolist()


def test_a_turn_is_written_as_its_own_template_has_it(engine: Engine) -> None:
    parts = engine.tokenizer.chat_parts()
    ours = [*parts.prefix, *engine.tokenizer.encode("Good morning!"), *parts.suffix]
    own = AutoTokenizer.from_pretrained(source_of(CONFIG))
    turn = [{"role": "user", "content": "Good morning!"}]
    text = own.apply_chat_template(turn, tokenize=False, add_generation_prompt=True)
    assert own.decode(ours) == text
    assert "<|im_start|>assistant" in text


def test_an_answer_is_right_and_ends_by_itself(engine: Engine) -> None:
    chat = Chat(engine, system="Answer in one sentence.", max_tokens=40, sampling=GREEDY)
    answer = "".join(chat.say("What is the capital of France?"))
    assert chat.session is not None
    engine.close(chat.session)
    assert chat.session.finish_reason == "stop"
    assert "Paris" in answer
    assert "<|im_" not in answer


def test_forty_windows_of_text_leave_the_process_as_large_as_ten(engine: Engine) -> None:
    session = engine.open()
    text = page(engine)
    size, kv_bytes = engine.window.size, engine.memory().kv_bytes_total
    resident = []
    for _ in range(4):
        engine.feed(session, (text * 10)[: 10 * size])
        run(engine)
        resident.append(psutil.Process().memory_info().rss)
    engine.close(session)
    assert engine.memory().kv_bytes_total == kv_bytes
    assert resident[-1] - resident[0] < 16 * MIB


def test_weights_in_int8_cost_less_than_a_hundredth_of_its_perplexity(engine: Engine) -> None:
    pytest.importorskip("torchao", reason="weights in int8 need torchao")
    rounded = Engine.load(replace(CONFIG, weight_dtype="int8"))
    text = page(engine)[:512]
    exact, found = (_nats_a_token(one, text) for one in (engine, rounded))
    assert abs(found - exact) < 0.01


def _nats_a_token(engine: Engine, text: list[int]) -> float:
    stream = LoneStream(engine.model, engine.window)
    logits = torch.cat([stream.feed(text[i : i + 32]) for i in range(0, len(text) - 1, 32)])
    return float(torch.nn.functional.cross_entropy(logits[: len(text) - 1], torch.tensor(text[1:])))
