"""What a stream still knows of its lines: questions to it, by distance from the line.

The stream is one session of the engine, asked on copies of its row. Beside it the model's own dense
attention answers the same questions from the last lines that fit into its trained length: what the
model can do. Inside the window the stream should do as well, outside it knows nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from itertools import chain

from engine.bench.progress import stage
from engine.config import EngineConfig
from engine.errors import ConfigError
from engine.evals.asking import AskedStream, Question, Reader, Verdict
from engine.evals.numbered_lines import Record
from engine.model.load import load
from engine.model.model import StreamingModel
from engine.model.source import source_of
from engine.schedule.window import Window
from engine.text.tokenizer import Tokenizer

# A longer text says no more about what a model can do, and takes long.
MAX_DENSE_TOKENS = 4096
# Some three million tokens, hours of a CPU. Lines are outside of any window long before.
MAX_LINES = 100_000
# Each needs two rows of window memory: all questions of a round are asked at once.
MAX_DISTANCES = 100


@dataclass(frozen=True)
class Inquiry:
    """After every `every` lines one question for each distance (in lines), `num_questions` times.

    The asking begins when there is a line at every distance.
    """

    config: EngineConfig
    distances: Sequence[int]
    num_questions: int = 50
    every: int = 10
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (("num_questions", 1), ("every", 1)):
            if getattr(self, name) < least:
                raise ConfigError(f"{name}={getattr(self, name)} is not valid: use 1 or more.")
        if not self.distances or min(self.distances) < 0:
            raise ConfigError(f"distances={list(self.distances)} is not valid: use 0 or more.")
        if len(self.distances) > MAX_DISTANCES:
            raise ConfigError(
                f"{len(self.distances)} distances are not valid: use at most {MAX_DISTANCES}."
            )
        if self.num_lines > MAX_LINES:
            raise ConfigError(
                f"distances={max(self.distances)}, num_questions={self.num_questions}, "
                f"every={self.every} is not valid: that is a record of {self.num_lines:,} lines; "
                f"use at most {MAX_LINES:,}."
            )

    @property
    def num_lines(self) -> int:
        """Of the record, when everything has been asked."""
        return self.num_before_asking + self.num_questions * self.every

    @property
    def num_before_asking(self) -> int:
        return max(0, max(self.distances) + 1 - self.every)

    @property
    def window(self) -> Window:
        return Window(self.config.num_sinks, self.config.num_recent)


@dataclass
class Answers:
    """Of one party to the questions of one distance."""

    num_asked: int = 0
    num_exact: int = 0
    num_preferred: int = 0

    def add(self, verdict: Verdict) -> None:
        self.num_asked += 1
        self.num_exact += verdict.is_exact
        self.num_preferred += verdict.prefers_right


@dataclass
class AtDistance:
    """The questions of one distance: how far back their lines began, in tokens; how many of the
    lines were in the window as a whole, how many not at all; and who knew."""

    distance: int
    tokens_back: list[int] = field(default_factory=list)
    num_whole: int = 0
    num_gone: int = 0
    stream: Answers = field(default_factory=Answers)
    dense: Answers = field(default_factory=Answers)

    def add(self, question: Question, window: Window) -> None:
        self.tokens_back.append(question.to_begin)
        self.num_whole += question.to_begin <= window.num_recent
        self.num_gone += question.to_end > window.num_recent


def run(inquiry: Inquiry, *, is_stopped: Callable[[], bool] = lambda: False) -> list[AtDistance]:
    """Ask everything; once `is_stopped`, no more. Empty if nothing was asked by then.

    What is printed of it: see distances.py.
    """
    model = load(inquiry.config)
    tokenizer = Tokenizer.load(source_of(inquiry.config), model.eos_ids)
    results = [AtDistance(distance) for distance in inquiry.distances]
    with stage("lines", inquiry.num_lines) as advance:
        for _ in ask(inquiry, model, tokenizer, results):
            advance(1)
            if is_stopped():
                break
    return [at for at in results if at.tokens_back]


def ask(
    inquiry: Inquiry, model: StreamingModel, tokenizer: Tokenizer, results: Sequence[AtDistance]
) -> Iterator[None]:
    """One line at a time, with what is asked after it; `results`, one a distance, grow with it."""
    reader = Reader(Record(inquiry.seed), tokenizer, num_kept=max(inquiry.distances) + 1)
    stream = AskedStream(model, inquiry.window, num_copies=2 * len(results))
    stream.feed(reader.beginning)
    for number in range(1, inquiry.num_lines + 1):
        stream.feed(reader.next_line())
        num_rounds, num_since = divmod(number - inquiry.num_before_asking, inquiry.every)
        if num_rounds > 0 and num_since == 0:
            questions = [reader.question(result.distance) for result in results]
            _ask_stream(stream, questions, results)
            _ask_dense(model, reader, questions, results)
        yield


def _ask_stream(
    stream: AskedStream, questions: Sequence[Question], results: Sequence[AtDistance]
) -> None:
    logits = stream.look_ahead([text for question in questions for text in question.texts])
    pairs = zip(logits[::2], logits[1::2], strict=True)
    for question, (right, wrong), result in zip(questions, pairs, results, strict=True):
        result.add(question, stream.session.window)
        result.stream.add(question.verdict(right, wrong))


def _ask_dense(
    model: StreamingModel,
    reader: Reader,
    questions: Sequence[Question],
    results: Sequence[AtDistance],
) -> None:
    """Those whose line is among the last ones that fit into the trained length."""
    longest = max(len(text) for question in questions for text in question.texts)
    room = dense_tokens(model) - len(reader.beginning) - longest
    lines = reader.last_lines(room)
    _, past = model.dense_step([*reader.beginning, *chain.from_iterable(lines)], None)
    for question, result in zip(questions, results, strict=True):
        if result.distance < len(lines):
            # A step writes into the cache that it is given.
            right, wrong = (model.dense_step(text, deepcopy(past))[0] for text in question.texts)
            result.dense.add(question.verdict(right, wrong))


def dense_tokens(model: StreamingModel) -> int:
    """How long a text the model was trained for, as far as it says so."""
    trained = getattr(model.hf.config.get_text_config(), "max_position_embeddings", None)
    return min(trained or MAX_DENSE_TOKENS, MAX_DENSE_TOKENS)
