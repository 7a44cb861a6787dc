"""A chat goes on for ever at level memory, and stops when it is told to."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.chat.chat import Chat, until
from engine.chat.turns import Turns
from engine.errors import ConfigError, EngineError
from engine.schedule.generation import Sampling
from tests.engine.streams import run
from tests.engine.talking import INST, bundled_tokenizer, talking_engine

TOKENIZER = bundled_tokenizer()


def test_sixty_turns_through_a_small_window_at_level_memory() -> None:
    engine, _ = talking_engine(TOKENIZER, num_recent=40)
    chat = Chat(engine, system="Be brief.", max_tokens=12, sampling=Sampling(temperature=3.0))
    memory = engine.memory().kv_bytes_total
    slid_out = []
    for turn in range(60):
        pieces = list(chat.say(f"And number {turn}?"))
        assert chat.session is not None
        assert "".join(pieces) == TOKENIZER.decode(chat.session.generated) != ""
        assert engine.memory().kv_bytes_total == memory
        slid_out.append(chat.num_slid_out)
    assert slid_out[-1] > slid_out[20] > slid_out[10] > 0
    assert chat.num_turns == 60
    run(engine)  # the last answer's last token
    assert chat.num_seen == chat.num_slid_out + chat.window_fill
    assert chat.window_fill == engine.window.size


def test_the_whole_opening_is_pinned_in_a_row_of_the_same_size() -> None:
    engine, _ = talking_engine(TOKENIZER, num_recent=60)
    system = "You are a lighthouse keeper, and speak of ships."
    chat = Chat(engine, system=system, max_tokens=2)
    list(chat.say("hello"))
    assert chat.session is not None
    opening, _ = Turns(TOKENIZER, system).first("hello")
    assert chat.session.window.num_sinks == len(opening) > engine.window.num_sinks
    assert chat.session.window.size == engine.window.size


def test_a_stopped_answer_is_said_so_far_and_the_chat_goes_on() -> None:
    engine, model = talking_engine(TOKENIZER)
    chat = Chat(engine, max_tokens=50)
    said = ""
    for piece in chat.say("go on"):
        said += piece
        if len(said.split()) == 3:
            break
    assert chat.session is not None
    assert chat.session.finish_reason == "interrupted"
    generated = chat.session.generated
    assert TOKENIZER.decode(generated) == said
    list(chat.say("and now?"))
    start = model.heard.index(generated[0])
    assert model.heard[start : start + 3] == generated
    assert model.heard[start + 3] == TOKENIZER.hf.eos_token_id


def test_an_answer_can_be_stopped_before_it_has_begun() -> None:
    engine, _ = talking_engine(TOKENIZER)  # 16 tokens a step
    chat = Chat(engine, max_tokens=4)
    reading = chat.say("a long text " * 20)
    assert next(reading) == ""
    reading.close()
    assert "".join(chat.say("shorter")) != ""


def test_one_answer_at_a_time() -> None:
    engine, _ = talking_engine(TOKENIZER)
    chat = Chat(engine)
    answer = chat.say("one")
    next(answer)
    with pytest.raises(EngineError, match="is generating"):
        next(chat.say("two"))


def test_same_seed_same_chat_and_every_turn_draws_anew() -> None:
    def answers(seed: int) -> list[str]:
        engine, _ = talking_engine(TOKENIZER)
        chat = Chat(engine, max_tokens=12, sampling=Sampling(temperature=9.0), seed=seed)
        return ["".join(chat.say("again")) for _ in range(4)]

    assert answers(1) == answers(1) != answers(7)
    assert len(set(answers(1))) > 1


def test_the_row_is_free_again_after_the_chat() -> None:
    engine, _ = talking_engine(TOKENIZER)
    chat = Chat(engine, max_tokens=2)
    assert engine.num_free_rows == 1
    list(chat.say("hello"))
    assert engine.num_free_rows == 0
    chat.close()
    chat.close()
    assert engine.num_free_rows == 1


def test_what_cannot_work_is_said_before_the_first_turn() -> None:
    engine, _ = talking_engine(bundled_tokenizer(INST), num_recent=16)
    with pytest.raises(ConfigError, match="leaves 0 of a window of 20"):
        Chat(engine, system="word " * 50)
    with pytest.raises(ConfigError, match="max_tokens=0"):
        Chat(engine, max_tokens=0)
    assert engine.num_free_rows == 1


@given(
    pieces=st.lists(st.text(st.sampled_from("ab#"), max_size=3), max_size=12),
    stops=st.lists(st.text(st.sampled_from("ab#"), min_size=1, max_size=4), max_size=2),
)
def test_an_answer_ends_before_the_first_stop_text_however_it_is_cut(
    pieces: list[str], stops: list[str]
) -> None:
    whole = "".join(pieces)
    ends = [whole.find(stop) for stop in stops if stop in whole]
    # The text that ends first ends the answer, wherever another would have begun.
    last = min((whole.find(stop) + len(stop) for stop in stops if stop in whole), default=0)
    shown = "".join(until(iter(pieces), stops))
    assert whole.startswith(shown)
    assert not any(stop in shown for stop in stops)
    if ends:
        assert shown == whole[: len(shown)] and len(shown) in ends and len(shown) <= last
    else:
        assert shown == whole


def test_a_chat_that_was_saved_goes_on_as_if_it_had_not_stopped(tmp_path: Path) -> None:
    def begun() -> Chat:
        return Chat(talking_engine(TOKENIZER)[0], max_tokens=9, sampling=Sampling(temperature=3.0))

    chat, resumed = begun(), begun()
    with pytest.raises(EngineError, match="Nothing was said"):
        chat.save(tmp_path / "chat")
    list(chat.say("hello"))
    chat.save(tmp_path / "chat")
    resumed.resume(tmp_path / "chat")
    for text in ("What's new?", "bye"):
        assert list(resumed.say(text)) == list(chat.say(text))
    assert resumed.num_seen == chat.num_seen


def test_a_system_prompt_that_leaves_too_little_is_refused_with_both_numbers() -> None:
    engine, _ = talking_engine(TOKENIZER, num_recent=96)
    long = " ".join(["word"] * 200)
    with pytest.raises(ConfigError, match=r"A system prompt of \d+ tokens leaves 0 of a window"):
        Chat(engine, system=long)
    with pytest.raises(ConfigError, match=r"less than one in 4: shorten it"):
        Chat(engine, system=" ".join(["word"] * 80))


def test_a_turn_that_does_not_fit_is_told() -> None:
    engine, _ = talking_engine(TOKENIZER, num_recent=60)
    chat = Chat(engine, max_tokens=4)
    assert chat.num_too_many("hello") == 0
    words = " ".join(["word"] * 100)
    num_words = len(TOKENIZER.encode(words))
    list(chat.say("hello"))
    assert num_words - 60 <= chat.num_too_many(words) < num_words - 20
