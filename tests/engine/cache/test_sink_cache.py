"""The cache alone: a plain model's own code, fed by it, computes what the engine's would."""

from __future__ import annotations

import re
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from transformers import GenerationConfig, PreTrainedModel

from engine import ConfigError, EngineError, GenerateRequest, ModelRefused, SinkCache
from engine.attention.adapters import ADAPTERS
from tests.engine.families import FAMILIES, tiny
from tests.engine.reference import reference_logits
from tests.engine.streams import run, tiny_engine, tokens

PAGE = Path(__file__).parents[3] / "docs" / "engine.md"
SINKS, RECENT = 3, 17
WITH_CACHES = [name for name, config in FAMILIES.items() if config().model_type not in ADAPTERS]


def ids(*rows: list[int]) -> Tensor:
    return torch.tensor(rows)


def cache_for(model: PreTrainedModel) -> SinkCache:
    return SinkCache(model, num_sinks=SINKS, num_recent=RECENT)


@torch.no_grad()
def one_by_one(model: PreTrainedModel, cache: SinkCache, input_ids: Tensor) -> Tensor:
    """(B, T, vocab)."""
    steps = [model(piece, past_key_values=cache).logits for piece in input_ids.split(1, dim=1)]
    return torch.cat(steps, dim=1)


def assert_equal(streamed: Tensor, expected: Tensor) -> None:
    """Of the logits' spread, which is not the same in all families, 1e-4."""
    spread = expected.std()
    torch.testing.assert_close(streamed / spread, expected / spread, atol=1e-4, rtol=0)


def endless(family: str) -> PreTrainedModel:
    """It takes no token for the end of a text, or for padding."""
    model = tiny(family)
    model.generation_config.eos_token_id = model.generation_config.pad_token_id = None
    return model


def greedily(num_tokens: int, **more: Any) -> GenerationConfig:
    return GenerationConfig(max_new_tokens=num_tokens, do_sample=False, **more)


@pytest.mark.parametrize("family", WITH_CACHES)
@pytest.mark.filterwarnings("ignore")  # of the model's own code
def test_every_token_equals_the_reference(family: str) -> None:
    model = tiny(family)
    if model._supports_sdpa:
        model.set_attn_implementation("sdpa")
    streamed = one_by_one(model, cache_for(model), ids(tokens(70)))[0]
    expected = reference_logits(tiny(family), tokens(70), SINKS, RECENT)
    assert_equal(streamed, expected)


def test_masks_of_eager_attention_fit_as_well() -> None:
    """Its masks are tensors where the fused attention has none."""
    model = tiny("mistral-own-window-narrower")
    streamed = one_by_one(model, cache_for(model), ids(tokens(70)))[0]
    expected = reference_logits(model, tokens(70), SINKS, RECENT)
    assert_equal(streamed, expected)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.integers(1, 45), min_size=1, max_size=6),
    st.integers(0, 4),
    st.integers(1, 20),
    st.sampled_from(["llama", "gemma2", "cohere"]),
)
def test_pieces_of_any_length_are_exact(
    sizes: list[int], num_sinks: int, num_recent: int, family: str
) -> None:
    """Asked as `generate` asks: for the last logits of each piece."""
    model = tiny(family)
    cache = SinkCache(model, num_sinks=num_sinks, num_recent=num_recent)
    text = tokens(sum(sizes))
    last = []
    with torch.no_grad():
        for piece in ids(text).split(sizes, dim=1):
            answer = model(piece, past_key_values=cache, logits_to_keep=1)
            last.append(answer.logits[0, -1])
    expected = reference_logits(model, text, num_sinks, num_recent)
    ends = torch.tensor(sizes).cumsum(0) - 1
    assert_equal(torch.stack(last), expected[ends])
    assert cache.get_seq_length() == len(text)


@pytest.mark.parametrize("num_prompt", [5, 50])
@pytest.mark.parametrize("family", ["llama", "qwen3", "gpt-neox"])
def test_greedy_generate_is_the_engine_s(family: str, num_prompt: int) -> None:
    engine = tiny_engine(family)
    session = engine.open()
    engine.generate(session, tokens(num_prompt), GenerateRequest(max_tokens=3 * 16))
    run(engine)
    model = endless(family)
    cache = SinkCache(model, num_sinks=2, num_recent=14)
    prompt = ids(tokens(num_prompt))
    text = model.generate(prompt, past_key_values=cache, generation_config=greedily(3 * 16))
    assert text[0, num_prompt:].tolist() == session.generated


def test_generate_goes_on_where_it_stopped() -> None:
    model = endless("llama")
    prompt = ids(tokens(30))
    at_once = model.generate(
        prompt, past_key_values=cache_for(model), generation_config=greedily(40)
    )
    cache = cache_for(model)
    cache.feed(prompt[:, :-1])
    text = prompt
    for _ in range(4):
        text = model.generate(text, past_key_values=cache, generation_config=greedily(10))
    assert torch.equal(text, at_once)


def test_batch_is_its_sequences_alone() -> None:
    model = tiny("llama")
    rows = [tokens(60, seed) for seed in range(3)]
    cache = cache_for(model)
    cache.feed(ids(*rows)[:, :40])
    together = one_by_one(model, cache, ids(*rows)[:, 40:])
    for row, logits in zip(rows, together, strict=True):
        expected = reference_logits(model, row, SINKS, RECENT)[40:]
        assert_equal(logits, expected)


def test_beams_carry_their_windows_along() -> None:
    model = tiny("llama")
    rows = [tokens(60, seed) for seed in range(3)]
    cache = cache_for(model)
    one_by_one(model, cache, ids(*rows)[:, :40])
    cache.reorder_cache(torch.tensor([2, 0, 2]))
    cache.feed(ids(rows[1], rows[0], rows[2])[:, 40:50])
    streamed = one_by_one(model, cache, ids(rows[1], rows[0], rows[2])[:, 50:])
    texts = [rows[2][:40] + rows[1][40:], rows[0], rows[2]]
    for text, logits in zip(texts, streamed, strict=True):
        expected = reference_logits(model, text, SINKS, RECENT)[50:]
        assert_equal(logits, expected)


def test_beam_search_within_the_window_is_that_of_any_cache() -> None:
    model, prompt = endless("llama"), ids(tokens(5), tokens(5, seed=1))
    beams = greedily(12, num_beams=4)
    expected = model.generate(prompt, generation_config=beams)
    cache = cache_for(model)
    assert torch.equal(
        model.generate(prompt, past_key_values=cache, generation_config=beams), expected
    )


def test_copy_goes_its_own_way_over_the_same_model() -> None:
    model = tiny("llama")
    cache = cache_for(model)
    one_by_one(model, cache, ids(tokens(40)))
    twin = deepcopy(cache)
    one_by_one(model, twin, ids(tokens(30, seed=5)))
    streamed = one_by_one(model, cache, ids(tokens(10, seed=1)))[0]
    expected = reference_logits(model, tokens(40) + tokens(10, seed=1), SINKS, RECENT)[40:]
    assert_equal(streamed, expected)


def test_memory_and_positions_stay_small_however_long_it_goes_on() -> None:
    model = tiny("llama")
    positions: list[int] = []
    embed = model.model.rotary_emb
    embed.register_forward_pre_hook(
        lambda _, args, kwargs: positions.append(int(kwargs["position_ids"].max())),
        with_kwargs=True,
    )
    cache = cache_for(model)
    one_by_one(model, cache, ids(tokens(25)))
    num_bytes = cache.num_bytes
    # Keys and values of 20 tokens, and the sinks' stored keys: 2 layers of 2 heads of 8 floats.
    assert num_bytes == 4 * 2 * 2 * 8 * (2 * 20 + SINKS)
    positions.clear()
    streamed = one_by_one(model, cache, ids(tokens(400, seed=1)))[0]
    assert cache.num_bytes == num_bytes
    assert max(positions) <= 2 * 20
    assert cache.get_seq_length() == 425
    expected = reference_logits(model, tokens(25) + tokens(400, seed=1), SINKS, RECENT)[25:]
    assert_equal(streamed, expected)


def test_reset_cache_takes_another_batch() -> None:
    model = tiny("llama")
    cache = cache_for(model)
    cache.feed(ids(tokens(30)))
    with pytest.raises(EngineError, match=r"holds 1 sequences and is given 2.*reset"):
        cache.feed(ids(tokens(3), tokens(3)))
    cache.reset()
    assert cache.get_seq_length() == cache.num_bytes == 0
    streamed = one_by_one(model, cache, ids(tokens(25), tokens(25)))
    expected = reference_logits(model, tokens(25), SINKS, RECENT)
    assert_equal(streamed[1], expected)


def test_cache_made_in_inference_mode_works_outside() -> None:
    model = tiny("llama")
    with torch.inference_mode():
        cache = cache_for(model)
        cache.feed(ids(tokens(30)))
    one_by_one(model, cache, ids(tokens(30)))
    assert cache.get_seq_length() == 60


def test_model_is_left_as_it_was() -> None:
    model = tiny("llama")
    before = model(ids(tokens(9))).logits
    cache = cache_for(model)
    cache.feed(ids(tokens(30)))
    assert model.config._attn_implementation == "eager"
    assert torch.equal(model(ids(tokens(9))).logits, before)
    cache_for(model)
    assert len(model._forward_pre_hooks) == 1


# What it cannot do, it says.


def test_long_pieces_without_a_place_for_their_logits_are_refused() -> None:
    model = tiny("llama")
    with pytest.raises(EngineError, match=r"21 tokens do not fit.*window of 20.*cache\.feed"):
        model(ids(tokens(21)), past_key_values=cache_for(model))


def test_padding_is_refused() -> None:
    model = tiny("llama")
    padded, mask = ids([0, 0, 5, 6], [3, 4, 5, 6]), ids([0, 0, 1, 1], [1, 1, 1, 1])
    with pytest.raises(EngineError, match="no padding"):
        model.generate(
            padded,
            attention_mask=mask,
            past_key_values=cache_for(model),
            generation_config=greedily(5),
        )


def test_going_back_is_refused() -> None:
    model = tiny("llama")
    with pytest.raises(EngineError, match=r"cannot go back \(assisted decoding\)"):
        model.generate(
            ids(tokens(5)),
            past_key_values=cache_for(model),
            generation_config=greedily(5, prompt_lookup_num_tokens=2),
        )
    cache = cache_for(model)
    with pytest.raises(EngineError, match="cannot go back"):
        cache.crop(-1)
    with pytest.raises(EngineError, match="number of sequences"):
        cache.batch_repeat_interleave(2)
    assert not cache.is_croppable


def test_another_model_and_a_part_of_the_model_are_refused() -> None:
    model, other = tiny("llama"), tiny("llama")
    cache_for(other)
    with pytest.raises(EngineError, match="made for another model"):
        other(ids(tokens(5)), past_key_values=cache_for(model))
    with pytest.raises(EngineError, match="Call the model"):
        model.model(ids(tokens(5)), past_key_values=cache_for(model))


def test_embeddings_are_refused() -> None:
    model = tiny("llama")
    with pytest.raises(EngineError, match="needs input_ids"):
        model(inputs_embeds=torch.zeros(1, 2, 32), past_key_values=cache_for(model))


@pytest.mark.parametrize("chunk_size", [None, 4])
@pytest.mark.parametrize("says_mask", [True, False])
def test_text_that_the_cache_has_passed_is_refused(says_mask: bool, chunk_size: int | None) -> None:
    """`generate` would cut off a part of it, or nothing, and the rest would look like new text."""
    model = endless("llama")
    text, cache = ids(tokens(30)), cache_for(model)
    cache.feed(text)
    config = greedily(3, prefill_chunk_size=chunk_size)
    for num_tokens in range(1, 31):
        mask = {"attention_mask": torch.ones(1, num_tokens)} if says_mask else {}
        with pytest.raises(EngineError, match=r"seen 30 tokens, .*does not come next.*the whole"):
            model.generate(
                text[:, :num_tokens], past_key_values=cache, generation_config=config, **mask
            )
    assert cache.get_seq_length() == 30


@pytest.mark.parametrize("num_new", [1, 7, 30])
def test_new_text_alone_needs_a_mask_for_all(num_new: int) -> None:
    model, text = endless("llama"), ids(tokens(30 + num_new))
    cache, config = cache_for(model), greedily(10)
    cache.feed(text[:, :30])
    whole = model.generate(text, past_key_values=deepcopy(cache), generation_config=config)
    new, mask = text[:, 30:], torch.ones(1, 30 + num_new)
    for wrong in (None, mask[:, 1:], torch.ones(1, 31 + num_new)):
        with pytest.raises(EngineError, match="attention_mask for both"):
            model.generate(
                new, attention_mask=wrong, past_key_values=cache, generation_config=config
            )
    more = model.generate(new, attention_mask=mask, past_key_values=cache, generation_config=config)
    assert torch.equal(more[:, num_new:], whole[:, 30 + num_new :])


def test_positions_and_masks_from_elsewhere_are_refused() -> None:
    model = tiny("llama")
    cache = cache_for(model)
    cache.feed(ids(tokens(30)))
    new = ids(tokens(3))
    with torch.no_grad():
        model(new, past_key_values=cache, position_ids=ids([30, 31, 32]), logits_to_keep=1)
    for wrong in ({"position_ids": ids([30, 31, 32])}, {"attention_mask": torch.ones(1, 3)}):
        with pytest.raises(EngineError, match="seen 33 tokens"):
            model(new, past_key_values=cache, logits_to_keep=1, **wrong)
    with pytest.raises(EngineError, match="does not come next"):
        model(new[:, :0], past_key_values=cache)


def test_whole_text_again_for_each_token_is_refused() -> None:
    model = endless("llama")
    config = greedily(5, use_cache=False)
    with pytest.raises(EngineError, match="say use_cache=True"):
        model.generate(ids(tokens(5)), past_key_values=cache_for(model), generation_config=config)


@pytest.mark.parametrize("family", ["bloom", "falcon", "gptj", "mpt"])
def test_attention_of_its_own_is_refused(family: str) -> None:
    with pytest.raises(ModelRefused, match=r"cannot use the cache: it attends in a way of its own"):
        SinkCache(tiny(family))


def test_what_the_engine_refuses_is_refused() -> None:
    model = tiny("llama")
    model.config.kv_lora_rank = 8
    with pytest.raises(ModelRefused, match="latent attention"):
        SinkCache(model)
    model = tiny("llama")
    model.config._attn_implementation = "flex_attention"
    with pytest.raises(ModelRefused, match="not one of eager, sdpa"):
        SinkCache(model)
    with pytest.raises(ModelRefused, match="not on one device"):
        SinkCache(tiny("llama").to("meta"))
    with pytest.raises(ConfigError, match="num_recent=0"):
        SinkCache(tiny("llama"), num_recent=0)


def test_the_example_in_the_docs_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    (example,) = (block for block in blocks if "SinkCache" in block)
    monkeypatch.chdir(PAGE.parents[1])
    names: dict[str, Any] = {}
    exec(example, names)  # noqa: S102
    prompt, text, cache = names["prompt"], names["text"], names["cache"]
    assert text.shape[1] == prompt.input_ids.shape[1] + 200
    assert cache.get_seq_length() == text.shape[1] - 1  # the last one nobody has read yet
    kept = 64 + 64 + 4  # keys, values, and the stored keys of the sinks
    config = names["model"].config
    per_token = config.num_hidden_layers * config.num_key_value_heads * config.head_dim
    assert cache.num_bytes == kept * per_token * names["model"].dtype.itemsize
