"""A model that somebody names by a directory or a hub id goes through the same code."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from redis import Redis
from transformers import AutoTokenizer, Qwen2Config, Qwen2ForCausalLM

from engine import ModelRefused
from engine.model.source import BUNDLED
from engine.restore.spelling import letters
from tests.worker.workbench import (
    KEYS,
    Workbench,
    assert_tiled,
    column,
    outputs,
    publish,
    sentence,
    settings_for,
)
from worker.settings.config import Settings
from worker.views.instructions import INSTRUCT, instructions_for

CHATML = (
    "{% if messages[0].role != 'system' %}<|user|>system\nYou are a helpful assistant.<|end|>\n"
    "{% endif %}{% for message in messages %}<|user|>{{ message.role }}\n{{ message.content }}"
    "<|end|>\n{% endfor %}{% if add_generation_prompt %}<|user|>assistant\n{% endif %}"
)


@pytest.fixture
def model_folder(tmp_path: Path) -> Path:
    """A tiny random Qwen2 with a chat template that opens with a system message, as the real one
    has: its opening is longer than four sinks."""
    folder = tmp_path / "model"
    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=4096,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        bos_token_id=None,
        eos_token_id=1,
    )
    Qwen2ForCausalLM(config).save_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(BUNDLED)
    tokenizer.chat_template = CHATML
    tokenizer.save_pretrained(folder)
    return folder


def test_a_model_from_a_directory_does_the_main_job(
    redis: Redis, redis_text: Redis, weir_settings: Settings, tmp_path: Path, model_folder: Path
) -> None:
    settings = settings_for(
        weir_settings.redis_url, tmp_path, model=str(model_folder), num_recent=400
    )
    bench = Workbench(settings)
    opening = bench.engine.tokenizer.chat_parts().prefix
    assert len(opening) > settings.num_sinks
    ids = publish(redis, 12)
    bench.pipeline.adopt("live:standup")
    bench.pipeline.run_once()
    [stream] = bench.streams.values()
    assert stream.session.window.num_sinks == len(opening), "the opening is pinned"
    bench.run(until=lambda: not bench.streams)
    transcript = outputs(redis_text, KEYS.transcript)
    assert column(transcript, "entry") == ids
    for number, line in enumerate(transcript[:-1]):
        assert letters(line["text"]) == letters(sentence(number, raw=True))
    assert_tiled(outputs(redis_text, KEYS.summary), ids[:-1])


def test_other_models_are_asked_in_words_that_any_chat_model_knows() -> None:
    assert instructions_for("Qwen/Qwen2.5-0.5B-Instruct") is INSTRUCT


def test_a_model_that_is_not_there_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(ModelRefused, match="could not be loaded") as refused:
        Workbench(settings_for("redis://127.0.0.1:1/0", tmp_path, model=str(tmp_path / "none")))
    assert "\n" not in str(refused.value)
