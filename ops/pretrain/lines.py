"""A small model that can look up lines, and nothing else: it shows what `weir eval lines` measures.

    python -m ops.pretrain.lines --out FOLDER --minutes 6

Everything is generated: a sample is some lines of a record, and questions about them with their
answers. FOLDER/model is what transformers loads, FOLDER/log.jsonl how it went. The minutes are of
processor time, so that a busy machine trains for as long; Ctrl-C ends it earlier.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import torch
from torch.nn.functional import cross_entropy
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from engine.evals.numbered_lines import PREAMBLE, Record
from ops.pretrain.batches import IGNORED
from ops.pretrain.export import export
from ops.pretrain.learning import Budget, Optimisers, rate
from ops.pretrain.prepare import Sample, encode_all
from ops.pretrain.recipe import Recipe
from ops.pretrain.shape import new_model
from ops.pretrain.tokenizer import PAD_ID, SINK_ID, train_tokenizer

RECIPE = Recipe(
    vocab_size=400,
    hidden_size=128,
    intermediate_size=256,
    num_layers=3,
    head_dim=16,
    num_heads=8,
    num_kv_heads=8,
    short_length=96,
    long_length=256,
    long_rows=8,
    warm_up_steps=100,
)
MAX_NUMBER = 10_000
STEPS_BETWEEN_LOGS = 20
LEARNT, GROWTH = 0.9, 1.3
MIN_LINES = 2
# A line has fewer tokens than this, and a question with its answer more than that.
MAX_LINE_TOKENS, MIN_LINE_TOKENS = 25, 16
PREAMBLE_SHARE = 0.5


def main() -> None:
    arguments = _arguments()
    torch.set_num_threads(arguments.threads)
    arguments.out.mkdir(parents=True, exist_ok=True)
    tokenizer = lines_tokenizer()
    model = new_model(RECIPE)
    budget = Budget(arguments.minutes * 60, time.process_time)
    with (
        (arguments.out / "log.jsonl").open("w", encoding="utf-8", buffering=1) as log,
        suppress(KeyboardInterrupt),
    ):
        for row in train(model, tokenizer, RECIPE, budget):
            log.write(json.dumps(row) + "\n")
    export(model, tokenizer, arguments.out / "model")


def lines_tokenizer() -> PreTrainedTokenizerFast:
    """Words of the format are tokens, digits stand alone."""
    record = Record()
    texts = [record.line(n) + record.question(n) for n in range(200)]
    return train_tokenizer([PREAMBLE, *texts], RECIPE.vocab_size)


def train(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, recipe: Recipe, budget: Budget
) -> Iterator[dict[str, float]]:
    """Until the budget is spent; a row of figures now and then.

    Samples begin short, for to find one line among two is learnt soon and among ten hardly ever,
    and grow whenever the model answers them.
    """
    optimisers, step, length = Optimisers(model, recipe), 0, recipe.short_length
    num_right, num_asked = 0, 0
    budget.tick()
    while budget.share_spent < 1.0:
        tokens, is_answer = batch_of_step(tokenizer, recipe, step, length)
        logits = model(input_ids=tokens[:, :-1], use_cache=False).logits.float()
        loss = _loss(logits, tokens[:, 1:], is_answer[:, 1:])
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), recipe.gradient_clip)
        optimisers.step(rate(recipe, step, budget.share_spent))
        budget.tick()
        step += 1
        num_right += int((logits.argmax(-1) == tokens[:, 1:])[is_answer[:, 1:]].sum())
        num_asked += int(is_answer.sum())
        if step % STEPS_BETWEEN_LOGS == 0:
            share_right = num_right / num_asked
            yield {
                "step": step,
                "seconds": round(budget.spent, 1),
                "length": length,
                "loss": round(loss.item(), 4),
                "tokens_right": round(share_right, 4),
            }
            if share_right > LEARNT:
                length = min(recipe.long_length, int(length * GROWTH))
            num_right = num_asked = 0


def _loss(logits: torch.Tensor, tokens: torch.Tensor, is_answer: torch.Tensor) -> torch.Tensor:
    """Of everything, and of the answers once more.

    Of the answers alone a model learnt to copy some line, and not which one: it is the lines and
    their numbers that teach it to look back.
    """
    everything = tokens.masked_fill(tokens == PAD_ID, IGNORED)
    answers = tokens.masked_fill(~is_answer, IGNORED)
    of_all, of_answers = (
        cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=IGNORED)
        for labels in (everything, answers)
    )
    return of_all + of_answers


def batch_of_step(
    tokenizer: PreTrainedTokenizerFast, recipe: Recipe, step: int, length: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """(tokens int64, is it an answer's), [rows, length] each.

    However long the samples, a batch has as many tokens.
    """
    draw = random.Random(f"{recipe.seed} {step}")  # noqa: S311
    num_rows = recipe.long_rows * recipe.long_length // length
    samples = [lines_sample(tokenizer, length, draw) for _ in range(num_rows)]
    tokens = torch.tensor([sample.tokens for sample in samples])
    return tokens, torch.tensor([sample.learnt for sample in samples])


def lines_sample(tokenizer: PreTrainedTokenizerFast, length: int, draw: random.Random) -> Sample:
    """Some lines from anywhere in a record, then questions about any of them while there is room.

    So every distance that fits is asked for. The beginning of the record is there in half of them:
    in a stream it is what the sinks hold.
    """
    record, first = Record(draw.getrandbits(48)), int(MAX_NUMBER ** draw.random())
    numbers = range(first, first + draw.randint(MIN_LINES, length // MAX_LINE_TOKENS))
    preamble = [PREAMBLE] * (draw.random() < PREAMBLE_SHARE)
    sample = Sample([SINK_ID], [False])
    for ids in encode_all([*preamble, *map(record.line, numbers)], tokenizer):
        _extend(sample, ids, learnt=False)
    asked = draw.choices(numbers, k=length // MIN_LINE_TOKENS)
    texts = [text for n in asked for text in (record.question(n), f"{record.answer(n)}\n")]
    for number, ids in enumerate(encode_all(texts, tokenizer)):
        _extend(sample, ids, learnt=number % 2 == 1)
    missing = max(0, length - len(sample.tokens))
    _extend(sample, [PAD_ID] * missing, learnt=False)
    return Sample(sample.tokens[:length], sample.learnt[:length])


def _extend(sample: Sample, ids: list[int], *, learnt: bool) -> None:
    sample.tokens.extend(ids)
    sample.learnt.extend([learnt] * len(ids))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m ops.pretrain.lines", description="Train a model that looks up lines."
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for everything it makes")
    parser.add_argument("--minutes", type=float, default=6.0, help="processor time to spend")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    return parser.parse_args()


if __name__ == "__main__":
    main()
