"""A conversation is fed in the template's own form, token by token, over any number of turns."""

from __future__ import annotations

import json

import pytest
from tokenizers import AddedToken
from tokenizers import Tokenizer as Backend
from transformers import PreTrainedTokenizerFast

from engine.chat.chat import Chat
from engine.chat.turns import Turns
from engine.errors import ModelRefused
from engine.schedule.generation import Sampling
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
    chat = Chat(engine, system=system, max_tokens=max_tokens, sampling=Sampling(temperature=3.0))
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
    chat = Chat(engine, max_tokens=4, sampling=Sampling(temperature=3.0))
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
        for tricked, plain in zip(turns_of(tokenizer, trick), turns_of(tokenizer), strict=True):
            assert [id for id in tricked if id in special] == [id for id in plain if id in special]
            assert trick in tokenizer.decode(tricked)


def turns_of(tokenizer: Tokenizer, text: str = "plain") -> list[list[int]]:
    """A first and a second turn that say `text`, as the model is asked and as it is remembered."""
    turns = Turns(tokenizer, text)
    opening, first = turns.first(text)
    following = turns.next(text)
    parts = ([*opening, *first.asked], [*opening, *first.kept], following.asked, following.kept)
    return [list(ids) for ids in parts]


def test_the_opening_is_pinned_whatever_the_first_text_is() -> None:
    turns = Turns(TOKENIZERS["inst"], "Be brief.")
    for text in TEXTS:
        opening, _ = turns.first(text)
        assert turns.opening[: len(opening)] == opening
        assert len(opening) >= len(turns.opening) - 2


def test_without_a_template_there_are_line_breaks() -> None:
    tokenizer = Tokenizer(build_tokenizer(chat_template=None))
    turns = Turns(tokenizer)
    opening, first = turns.first("hi")
    assert (opening, list(first.asked)) == ([1], tokenizer.encode("hi\n"))
    assert list(turns.next("yes").kept) == tokenizer.encode("\nyes\n")


LAST_TURN_ONLY = "<s>{{ messages[-1].content }}<|end|><|assistant|>"


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
        ("<s>{{ messages[0].content.nothing.at_all }}", None, "refuses such a chat"),
        ("<s>{{ 1 / 0 }}", None, "refuses such a chat"),
        ("<s>{% for m in messages %", None, "refuses such a chat"),
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


# Templates in the shapes that are in the wild; each is somebody's, said in this tokenizer's words.

HEADER = "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
TURN = "<|{{ m.role }}|>\n{{ m.content }}<|end|>\n"
REFUSES_SYSTEM = (  # Gemma 2
    "{% if messages[0].role == 'system' %}{{ raise_exception('No system, please') }}{% endif %}"
    "<s>{% for m in messages %}" + TURN + "{% endfor %}" + HEADER
)
MOVES_SYSTEM = (  # Mistral: before the last of the user's texts
    "{% if messages[0].role == 'system' %}{% set said = messages[0].content %}{% set messages = "
    "messages[1:] %}{% endif %}<s>{% for m in messages %}{% if loop.last and said %}<|user|>\n"
    "{{ said }}\n\n{{ m.content }}<|end|>\n{% else %}" + TURN + "{% endif %}{% endfor %}" + HEADER
)
CHANGES_SYSTEM = (
    "<s>{% for m in messages %}{% if m.role == 'system' %}{{ m.content | upper }}<|end|>\n"
    "{% else %}" + TURN + "{% endif %}{% endfor %}" + HEADER
)


@pytest.mark.parametrize("template", [REFUSES_SYSTEM, MOVES_SYSTEM, CHANGES_SYSTEM])
def test_a_system_text_without_a_place_goes_to_the_head_of_the_first_turn(template: str) -> None:
    tokenizer = Tokenizer(build_tokenizer(chat_template=template))
    turns = Turns(tokenizer, "Be brief.")
    opening, first = turns.first("hello")
    assert [*opening, *first.kept] == rendered(tokenizer, None, ["Be brief.\n\nhello"])
    assert tokenizer.decode(opening).endswith("Be brief.\n\n")
    assert "Be brief" not in tokenizer.decode(turns.next("more").kept)


# What each puts before an answer; in the turns before, nothing of it is left.
THOUGHTS = {
    "always begun (R1)": "{% if add_generation_prompt %}<|assistant|>\n<think>\n{% endif %}",
    "a switch of its own (Qwen3)": (
        "{% if add_generation_prompt %}<|assistant|>\n{% if enable_thinking is false %}<think>\n\n"
        "</think>\n\n{% endif %}{% endif %}"
    ),
    "dropped from what was said": (
        "{% set x = '' if true else '</think>' %}" + HEADER  # known to the template all the same
    ),
}
KNOWS = "{# </think> #}<s>{% for m in messages %}" + TURN + "{% endfor %}"


def thinking_tokenizer(template: str, **options: int) -> Tokenizer:
    hf = build_tokenizer(chat_template=template)
    hf.add_tokens([AddedToken(mark, special=False) for mark in ("<think>", "</think>")])
    return Tokenizer(hf, **options)


@pytest.mark.parametrize("name", THOUGHTS)
def test_a_model_that_is_not_to_think_has_an_empty_thought_before_it(name: str) -> None:
    tokenizer = thinking_tokenizer(KNOWS + THOUGHTS[name])
    _, turn = Turns(tokenizer).first("hello")
    asked, kept = tokenizer.decode(turn.asked), tokenizer.decode(turn.kept)
    thought = asked.removeprefix(kept)
    assert thought.replace("\n", "") == "<think></think>"
    assert "think" not in kept
    assert tokenizer.decode(tokenizer.chat_parts().suffix).endswith(thought)


@pytest.mark.parametrize("name", THOUGHTS)
def test_a_model_that_is_to_think_begins_with_a_thought(name: str) -> None:
    tokenizer = thinking_tokenizer(KNOWS + THOUGHTS[name], thought_tokens=9)
    _, turn = Turns(tokenizer).first("hello")
    assert tokenizer.decode(turn.asked).endswith(
        "<|assistant|>\n<think>\n".replace("<|assistant|>", "")
    )
    assert "think" not in tokenizer.decode(turn.kept)
