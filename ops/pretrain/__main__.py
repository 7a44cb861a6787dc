"""python -m ops.pretrain --data FOLDER --out FOLDER --hours 1.5

Every stage leaves its result in --out and is not made twice: the same command goes on where it was
stopped. Ends with --out/model, which transformers loads, and --out/figures.json, for its card.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import torch
from transformers import PreTrainedTokenizerFast

from ops.pretrain.corpus import Corpus, read_corpus
from ops.pretrain.evaluate import evaluate
from ops.pretrain.export import export
from ops.pretrain.prepare import prepare
from ops.pretrain.recipe import Recipe
from ops.pretrain.tokenizer import load_tokenizer, train_tokenizer
from ops.pretrain.train import Training


def main() -> None:
    arguments = _arguments()
    torch.set_num_threads(arguments.threads)
    recipe = replace(Recipe(), seed=arguments.seed)
    training_set, held_out = read_corpus(arguments.data).split()
    tokenizer = prepared_tokenizer(training_set, recipe, arguments.out)

    training = Training(
        recipe, arguments.out, arguments.hours * 3600, arguments.device, arguments.compile
    )
    if not training.run():
        print(f"stopped at step {training.step}; the same command goes on from there")
        return
    export(training.model, tokenizer, arguments.out / "model")
    figures = evaluate(arguments.out / "model", held_out)
    (arguments.out / "figures.json").write_text(json.dumps(figures, indent=2) + "\n")
    print(json.dumps(figures))


def prepared_tokenizer(training_set: Corpus, recipe: Recipe, out: Path) -> PreTrainedTokenizerFast:
    """The tokenizer and the token arrays of `out`, made on the first run."""
    done = out / "prepared" / "done"
    if not done.exists():
        tokenizer = train_tokenizer(texts_to_learn_tokens_from(training_set), recipe.vocab_size)
        tokenizer.save_pretrained(out / "tokenizer", save_jinja_files=False)
        prepare(training_set, tokenizer, recipe, out / "prepared")
        done.touch()
    return load_tokenizer(out / "tokenizer")


def texts_to_learn_tokens_from(corpus: Corpus) -> list[str]:
    """Talk counts three times: it is what the model will read, and there is less of it."""
    texts = [pair.summary for pair in corpus.pairs]
    for document in corpus.documents:
        lines = [line.render() for line in document.lines]
        texts.extend(lines * 3 if document.kind == "talk" else lines)
    return texts


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m ops.pretrain", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of text, see README.md")
    parser.add_argument("--out", type=Path, required=True, help="folder for everything it makes")
    parser.add_argument("--hours", type=float, default=1.5, help="time of the training itself")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1, ...")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="CPU threads")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--compile", action="store_true", help="a third faster, needs a C++ compiler"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
