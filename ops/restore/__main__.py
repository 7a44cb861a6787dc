"""python -m ops.restore --base FOLDER --texts FOLDER [--texts FOLDER@WORDS ...] --out FOLDER

The same command goes on where it was stopped.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import torch
from tokenizers import Tokenizer

from ops.restore.base import encoder_from
from ops.restore.prepare import Source, held_out_texts, training_texts
from ops.restore.recipe import Recipe
from ops.restore.train import Training
from ops.restore.windows import Windows, texts_of


def main() -> None:
    arguments = _arguments()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(arguments.seed)
    arguments.out.mkdir(parents=True, exist_ok=True)
    recipe = replace(Recipe(), seed=arguments.seed)
    tokenizer = Tokenizer.from_file(str(arguments.base / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    begin, end = (tokenizer.token_to_id(token) for token in ("[CLS]", "[SEP]"))
    texts = training_texts(arguments.texts, tokenizer, arguments.seed)
    print(f"{texts.num_words} words to learn in a pass", flush=True)
    held_out = {
        kind: Windows(texts_of(documents, tokenizer), recipe, begin, end)
        for kind, documents in held_out_texts(arguments.texts, arguments.seed).items()
    }
    windows = Windows(texts, recipe, begin, end)
    encoder = encoder_from(arguments.base)
    Training(encoder, windows, held_out, recipe, arguments.out, arguments.words).run()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m ops.restore", description=__doc__)
    parser.add_argument("--base", type=Path, required=True, help="folder of a pretrained encoder")
    parser.add_argument("--texts", type=Source.parse, action="append", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--words", type=int, default=6_000_000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


if __name__ == "__main__":
    main()
