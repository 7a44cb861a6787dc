"""Questions are about the lines that they name, from where they say; answers are counted right."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from transformers import LlamaConfig

from engine.attention.adapters import set_attention
from engine.attention.hook import IMPLEMENTATION
from engine.config import EngineConfig
from engine.engine import Engine
from engine.errors import ConfigError
from engine.evals.asking import AskedStream, Reader
from engine.evals.distances import print_distances
from engine.evals.numbered_lines import PREAMBLE, Record
from engine.evals.retrieval import AtDistance, Inquiry, ask, run
from engine.model.model import StreamingModel
from engine.schedule.generation import GenerateRequest
from engine.schedule.scheduler import Segment
from engine.schedule.window import Window
from engine.text.tokenizer import Tokenizer
from tests.engine.families import tiny_of
from tests.engine.local_model import build_tokenizer

TOKENIZER = Tokenizer(build_tokenizer())
VOCAB_SIZE = len(TOKENIZER.hf)
SAID = re.compile(r"(?<!Query: )The REGISTER_CONTENT in line (\d+) is <(\d{5})>\n")
ASKED = re.compile(r"Query: The REGISTER_CONTENT in line (\d+) is( ?<?\d*)$")
seeds = st.integers(0, 2**32)


@given(seed=seeds, number=st.integers(0, 10**9))
def test_the_answer_is_what_the_named_line_says(seed: int, number: int) -> None:
    record = Record(seed)
    [(named, content)] = SAID.findall(record.line(number))
    assert int(named) == number and record.answer(number) == f" <{content}>"
    asked = ASKED.search(record.question(number))
    assert asked and int(asked[1]) == number
    assert record.line(number).startswith(record.question(number).removeprefix("Query: "))
    assert Record(seed).line(number) == record.line(number)


@given(seed=seeds, num_lines=st.integers(1, 30), data=st.data())
def test_distances_are_as_asked(seed: int, num_lines: int, data: st.DataObject) -> None:
    distance = data.draw(st.integers(0, num_lines - 1))
    record, reader = Record(seed), Reader(Record(seed), TOKENIZER, num_kept=distance + 1)
    stream = list(reader.beginning)
    for _ in range(num_lines):
        stream += reader.next_line()
    number = num_lines - 1 - distance
    question = reader.question(distance)
    assert TOKENIZER.decode(question.asked) == record.question(number)
    assert TOKENIZER.decode(question.right) == record.answer(number)
    if num_lines > 1:
        assert TOKENIZER.decode(question.wrong) in {
            record.answer(number + 1),
            record.answer(number - 1),
        }
    until_last = stream + question.texts[0]
    assert TOKENIZER.decode(until_last[-question.to_begin :]).startswith(record.line(number))
    until_first = stream + question.asked
    seen = TOKENIZER.decode(until_first[-question.to_end :])
    assert seen.startswith("\n") and record.line(number) not in seen


@given(max_tokens=st.integers(0, 400), num_lines=st.integers(1, 12))
def test_the_last_lines_are_as_many_as_fit(max_tokens: int, num_lines: int) -> None:
    reader = Reader(Record(), TOKENIZER, num_kept=8)
    written = [reader.next_line() for _ in range(num_lines)]
    lines = reader.last_lines(max_tokens)
    assert lines == written[len(written) - len(lines) :]
    assert sum(map(len, lines)) <= max_tokens
    if len(lines) < min(8, num_lines):
        assert sum(map(len, written[len(written) - len(lines) - 1 :])) > max_tokens


class Rememberer(StreamingModel):
    """The oracle: reads what is in the window, and answers from it word for word.

    It stands where the engine's model stands, and its row 0 is the stream's.
    """

    def __init__(self) -> None:
        vars(self).update(vars(model_of(max_position_embeddings=600)))
        self.past: list[int] = []

    def compute(self, segments: Sequence[Segment], *args: Any, **options: Any) -> Tensor:
        window = segments[0].session.window
        if segments[0].session.row == 0:
            self.past += segments[0].token_ids
        pasts = [self.past if s.session.row else self.past[: s.first] for s in segments]
        return torch.cat(
            [
                self.logits(past, list(segment.token_ids), window.num_recent)
                for past, segment in zip(pasts, segments, strict=True)
            ]
        )

    def dense_step(self, token_ids: Sequence[int], cache: Any) -> tuple[Tensor, Any]:
        past = cache or []
        return self.logits(past, list(token_ids), 10**9), past + list(token_ids)

    def logits(self, past: list[int], ids: list[int], num_recent: int) -> Tensor:
        logits = torch.zeros(len(ids), VOCAB_SIZE)
        for index in range(len(ids)):
            seen = TOKENIZER.decode((past + ids[: index + 1])[-num_recent:])
            asked = ASKED.search(seen)
            said = dict(SAID.findall(seen))
            if asked and asked[1] in said:
                rest = f" <{said[asked[1]]}>".removeprefix(asked[2])
                logits[index, TOKENIZER.encode(rest)[0]] = 9.0
        return logits


def model_of(**config: Any) -> StreamingModel:
    sizes = {"vocab_size": VOCAB_SIZE, "hidden_size": 32, "intermediate_size": 48, **config}
    hf = tiny_of(
        LlamaConfig(
            num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, head_dim=8, **sizes
        )
    )
    set_attention(hf, IMPLEMENTATION)
    return StreamingModel(hf)


def asked(model: StreamingModel, num_recent: int, distances: list[int]) -> list[AtDistance]:
    config = EngineConfig("tiny", num_sinks=4, num_recent=num_recent)
    inquiry = Inquiry(config, distances, num_questions=3, every=4)
    results = [AtDistance(distance) for distance in distances]
    assert len(list(ask(inquiry, model, TOKENIZER, results))) == inquiry.num_lines
    print_distances(results, inquiry)
    return results


def test_who_reads_everything_in_the_window_answers_just_that(
    capsys: pytest.CaptureFixture[str],
) -> None:
    results = asked(Rememberer(), num_recent=250, distances=[0, 1, 2, 3, 4, 5, 20])
    for at in results:
        assert at.stream.num_asked == 3
        assert at.num_whole <= at.stream.num_exact <= 3 - at.num_gone
        fits = at.distance <= 5
        assert (at.dense.num_asked, at.dense.num_exact) == ((3, 3) if fits else (0, 0))
    assert [at.num_whole for at in results[:3]] == [3, 3, 3]
    assert [at.num_gone for at in results[-2:]] == [3, 3]
    assert sum(at.stream.num_exact for at in results[:3]) == 9
    figures = json.loads(capsys.readouterr().out.splitlines()[-1])
    inside = [row["in_the_window"] for row in figures["distances"]]
    assert inside[:3] == ["yes"] * 3 and inside[-1] == "no"
    assert figures["distances"][-1]["stream"] == {
        "num_asked": 3,
        "num_exact": 0,
        "num_preferred": 0,
    }


def test_asking_leaves_the_stream_as_it_was() -> None:
    model, window = model_of(), Window(2, 30)
    streams = alone, asked_too = [AskedStream(model, window, 2) for _ in range(2)]
    for stream in streams:
        stream.feed(range(10, 60))
    asked_too.look_ahead([list(range(5, 45)), [7, 8, 9]])
    assert torch.equal(alone.feed([3, 4, 5]), asked_too.feed([3, 4, 5]))


@settings(max_examples=5)
@given(seed=st.integers(0, 100))
def test_an_answer_is_judged_as_the_engine_would_decode_it(seed: int) -> None:
    """Greedy decoding on a fork, against the logits of the same tokens read at once."""
    model = model_of()
    config = EngineConfig("tiny", num_sinks=2, num_recent=60, num_rows=3, max_chunk=64)
    engine = Engine(config, model, TOKENIZER)
    reader = Reader(Record(seed), TOKENIZER, num_kept=2)
    stream, session = AskedStream(model, engine.window, 1), engine.open()
    for ids in (reader.beginning, reader.next_line(), reader.next_line()):
        stream.feed(ids)
        engine.feed(session, ids)
    while engine.has_work:
        engine.step()
    question, fork = reader.question(1), engine.fork(session)
    engine.generate(fork, question.asked, GenerateRequest(max_tokens=len(question.right)))
    while fork.is_generating:
        engine.step()
    decoded = question._replace(right=fork.generated)
    [logits] = stream.look_ahead([decoded.texts[0]])
    assert decoded.verdict(logits, logits).is_exact
    other = question._replace(right=[*fork.generated[:-1], (fork.generated[-1] + 1) % VOCAB_SIZE])
    assert not other.verdict(logits, logits).is_exact


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"num_questions": 0}, "num_questions=0"),
        ({"every": 0}, "every=0"),
        ({"distances": [-1]}, r"distances=\[-1\]"),
        ({"distances": []}, r"distances=\[\]"),
        ({"distances": range(101)}, "101 distances are not valid: use at most 100"),
        ({"distances": [5, 99_510]}, "distances=99510, .* of 100,001 lines; use at most 100,000"),
        ({"num_questions": 10_001}, "num_questions=10001, .* of 100,010 lines"),
        ({"every": 2001}, "every=2001 .* of 100,050 lines"),
    ],
)
def test_wrong_argument_is_named(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Inquiry(**{"config": EngineConfig("tiny"), "distances": [1], **wrong})


@given(
    distances=st.lists(st.integers(0, 50), min_size=1),
    num_questions=st.integers(1, 9),
    every=st.integers(1, 30),
)
def test_the_record_is_as_long_as_its_questions_need(
    distances: list[int], num_questions: int, every: int
) -> None:
    inquiry = Inquiry(EngineConfig("tiny"), distances, num_questions, every)
    asked_after = range(inquiry.num_before_asking + every, inquiry.num_lines + 1, every)
    assert len(asked_after) == num_questions
    assert asked_after[0] > max(distances) and asked_after[-1] == inquiry.num_lines
    assert inquiry.num_before_asking == 0 or asked_after[0] == max(distances) + 1


def test_stopped_before_anything_was_asked_there_is_nothing_to_show() -> None:
    inquiry = Inquiry(EngineConfig("bundled", num_recent=60), [5000])
    assert run(inquiry, is_stopped=lambda: True) == []


def test_longest_record_that_may_be_asked_about() -> None:
    inquiry = Inquiry(EngineConfig("tiny"), [99_509], num_questions=50, every=10)
    assert inquiry.num_lines == 100_000


def test_the_preamble_is_a_line() -> None:
    assert PREAMBLE.count("\n") == 1 and PREAMBLE.endswith("\n")
