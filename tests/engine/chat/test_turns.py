"""A conversation is fed in the template's own form, token by token, over any number of turns."""

from __future__ import annotations

import json

import pytest
from tokenizers import Tokenizer as Backend
from transformers import PreTrainedTokenizerFast

from engine.chat.chat import Chat
from engine.chat.turns import Turns
from engine.errors import ModelRefused
from engine.text.tokenizer import Tokenizer
from tests.engine.local_model import build_tokenizer
from tests.engine.talking import (
    CHATML,
    INST,
    bundled_tokenizer,
    sentencepiece_tokenizer,
    talking_engine,
)

TEXTS = ("hello", "  What's new?\n", "(2 + 2) ünï €", "\n- a list\n\n- of two", "and then")
TOKENIZERS = {
    "bundled": bundled_tokenizer(),
    "chatml": bundled_tokenizer(CHATML),
    "inst": bundled_tokenizer(INST),
    "inst-sentencepiece": sentencepiece_tokenizer(),
}


def rendered(tokenizer: Tokenizer, system: str | None, texts: list[str]) -> list[int]:
    """The whole conversation by the template; `texts` of user and assistant in turn."""
    messages = [] if system is None else [{"role": "system", "content": system}]
    roles = ["user", "assistant"] * len(texts)
    messages += [{"role": r, "content": t} for r, t in zip(roles, texts, strict=False)]
    answer = tokenizer.hf.apply_chat_template(messages, add_generation_prompt=True, tokenize=True)
    ids: list[int] = answer["input_ids"]
    return ids


@pytest.mark.parametrize("system", [None, "Be brief."])
@pytest.mark.parametrize("max_tokens", [1, 6])
@pytest.mark.parametrize("name", TOKENIZERS)
def test_fed_tokens_are_those_of_the_rendered_conversation(
    name: str, max_tokens: int, system: str | None
) -> None:
    tokenizer = TOKENIZERS[name]
    engine, model = talking_engine(tokenizer)
    chat = Chat(engine, system=system, max_tokens=max_tokens, temperature=3.0)
    texts: list[str] = []
    for text in TEXTS:
        texts += [text.strip(), "".join(chat.say(text))]
        assert texts[-1].split()
    # What follows the last answer is fed with the next turn.
    next(piece for piece in chat.say("bye") if piece)
    assert chat.num_slid_out == 0 and chat.num_seen == len(model.heard) + 1
    assert model.heard == rendered(tokenizer, system, [*texts, "bye"])


def test_the_end_token_is_fed_whether_the_model_has_said_it_or_was_cut() -> None:
    tokenizer = TOKENIZERS["chatml"]
    engine, model = talking_engine(tokenizer)
    chat = Chat(engine, max_tokens=4, temperature=3.0)
    reasons = set()
    for turn in range(12):
        list(chat.say("go on"))
        assert chat.session is not None
        reasons.add(chat.session.finish_reason)
        ends = model.heard.count(tokenizer.hf.eos_token_id)
        assert ends == 2 + 2 * turn  # the system's and the first user's; then two a turn
    assert reasons == {"stop", "length"}


@pytest.mark.parametrize("name", TOKENIZERS)
def test_nobody_speaks_in_the_template_s_own_tokens(name: str) -> None:
    tokenizer = TOKENIZERS[name]
    special = set(tokenizer.hf.all_special_ids)
    tricks = [*tokenizer.hf.all_special_tokens, f"a{tokenizer.hf.eos_token}b", "<|en", "d|>"]
    for trick in tricks:
        turns, plain = Turns(tokenizer, trick), Turns(tokenizer, "plain")

        def marks(ids: list[int]) -> list[int]:
            return [id for id in ids if id in special]

        opening, rest = turns.first(trick)
        plain_opening, plain_rest = plain.first("plain")
        assert marks(opening + rest) == marks(plain_opening + plain_rest)
        assert marks(turns.next(trick)) == marks(plain.next("plain"))
        assert trick in tokenizer.decode(turns.next(trick))


def test_the_opening_is_pinned_whatever_the_first_text_is() -> None:
    turns = Turns(TOKENIZERS["inst"], "Be brief.")
    for text in TEXTS:
        opening, _ = turns.first(text)
        assert turns.opening[: len(opening)] == opening
        assert len(opening) >= len(turns.opening) - 2


def test_without_a_template_there_are_line_breaks() -> None:
    tokenizer = Tokenizer(build_tokenizer(chat_template=None))
    turns = Turns(tokenizer)
    assert turns.first("hi") == ([1], tokenizer.encode("hi\n"))
    assert turns.next("yes") == tokenizer.encode("\nyes\n")


LAST_TURN_ONLY = "<s>{{ messages[-1].content }}<|end|><|assistant|>"
NO_SYSTEM = (
    "{% if messages[0].role == 'system' %}{{ raise_exception('No system, please') }}{% endif %}"
    "<s>{% for message in messages %}{{ message.content }}<|end|>{% endfor %}"
)


@pytest.mark.parametrize(
    ("template", "system", "says"),
    [
        (LAST_TURN_ONLY, None, "drops or changes what was said"),
        ("<s>{{ messages[0].content | length }}", None, "drops or changes"),
        (
            "<s>{% for m in messages %}{{ m.content }}<|{{ loop.revindex }}|>{% endfor %}",
            None,
            "rewrites earlier turns",
        ),
        (
            "<s>{% for m in messages %}{% if m.role == 'assistant' %}<|assistant|>{% endif %}"
            "{{ m.content }}<|end|>{% endfor %}{% if add_generation_prompt %}<|assistant|>"
            "<think>{% endif %}",
            None,
            "rewrites earlier turns",
        ),
        (NO_SYSTEM, "Be brief.", r"refuses such a chat \(No system, please\)"),
        (
            "<s>{% for m in messages %}{{ m.content | upper if m.content == 'Be brief.' else "
            "m.content }}<|end|>{% endfor %}",
            "Be brief.",
            "rewrites the system prompt",
        ),
    ],
)
def test_a_template_that_cannot_go_on_is_refused_in_one_line(
    template: str, system: str | None, says: str
) -> None:
    tokenizer = Tokenizer(build_tokenizer(chat_template=template))
    with pytest.raises(ModelRefused, match=says) as refusal:
        Turns(tokenizer, system)
    assert "\n" not in str(refusal.value)


def test_an_answer_that_would_run_into_the_next_turn_is_refused() -> None:
    hf = build_tokenizer(chat_template="{% for m in messages %}{{ m.content }}y{% endfor %}")
    backend = json.loads(hf.backend_tokenizer.to_str())
    backend["model"]["vocab"]["xy"] = len(hf)
    backend["model"]["merges"].append(["x", "y"])
    hf = PreTrainedTokenizerFast(
        tokenizer_object=Backend.from_str(json.dumps(backend)), chat_template=hf.chat_template
    )
    with pytest.raises(ModelRefused, match="nothing between"):
        Turns(Tokenizer(hf))
