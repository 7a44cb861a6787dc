"""python -m ops.restore --base FOLDER --texts FOLDER [--texts FOLDER@WORDS ...] --out FOLDER

Every stage leaves its result in --out and is not made twice: the same command goes on where it was
stopped. Ends with --out/weights, which WEIR_RESTORE takes, and its card. With --evaluate FOLDER the
figures of that folder's weights are printed, and nothing is trained.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import torch
from tokenizers import Tokenizer

from engine.restore.encoder import Encoder
from engine.restore.marks import MARKS
from engine.restore.punctuator import Punctuator
from engine.restore.stored import Habits, save
from ops.restore.base import encoder_from
from ops.restore.calibrate import calibrated
from ops.restore.card import card
from ops.restore.evaluate import NUM_AFTER, streams_of
from ops.restore.figures import all_figures
from ops.restore.prepare import Sample, Source, prepared, samples
from ops.restore.recipe import Recipe
from ops.restore.train import Training
from ops.restore.windows import Windows, texts_of


def main() -> None:
    arguments = _arguments()
    torch.set_num_threads(arguments.threads)
    if arguments.evaluate:
        kinds = samples(arguments.texts, arguments.seed)
        print(json.dumps(all_figures(arguments.evaluate, kinds, old=arguments.old)))
        return
    torch.manual_seed(arguments.seed)
    tokenizer = Tokenizer.from_file(str(arguments.base / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    encoder, kinds = _trained(arguments, tokenizer)
    folder = arguments.out / "weights"
    _export(encoder, tokenizer, kinds, folder, tuple(arguments.languages.split(",")))
    figures = all_figures(folder, kinds, old=arguments.old)
    (folder / "figures.json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    (folder / "README.md").write_text(card(figures, arguments.words), encoding="utf-8")


def _trained(
    arguments: argparse.Namespace, tokenizer: Tokenizer
) -> tuple[Encoder, dict[str, Sample]]:
    recipe = replace(Recipe(), seed=arguments.seed)
    begin, end = (tokenizer.token_to_id(token) for token in ("[CLS]", "[SEP]"))
    texts, kinds = prepared(arguments.out, arguments.texts, tokenizer, arguments.seed)
    print(f"{texts.num_words} words to learn in a pass", flush=True)
    scored = {
        kind: Windows(texts_of(sample.measuring, tokenizer), recipe, begin, end)
        for kind, sample in kinds.items()
    }
    encoder = encoder_from(arguments.base)
    windows = Windows(texts, recipe, begin, end)
    training = Training(encoder, windows, scored, recipe, arguments.out, arguments.words)
    if not training.run():
        raise SystemExit(f"stopped at {training.num_learnt} words; the same command goes on there")
    return encoder, kinds


def _export(
    encoder: Encoder,
    tokenizer: Tokenizer,
    kinds: dict[str, Sample],
    folder: Path,
    languages: tuple[str, ...],
) -> None:
    """Saved twice: what is calibrated is what is shipped, rounding and all."""
    save(folder, encoder, tokenizer, Habits(languages, (0.0,) * len(MARKS)))
    texts = [document for sample in kinds.values() for document in sample.calibrating]
    bias = calibrated(Punctuator.load(folder), streams_of(texts), NUM_AFTER)
    save(folder, encoder, tokenizer, Habits(languages, tuple(bias)))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m ops.restore", description=__doc__)
    parser.add_argument("--base", type=Path, help="folder of a pretrained encoder (BERT)")
    parser.add_argument("--texts", type=Source.parse, action="append", required=True)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--languages", default="en", help="codes, commas between them")
    parser.add_argument("--words", type=int, default=6_000_000, help="to learn in all")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--evaluate", type=Path, metavar="FOLDER", help="print its figures only")
    parser.add_argument("--old", type=Path, metavar="FOLDER", help="model to compare with")
    arguments = parser.parse_args()
    if not arguments.evaluate and not (arguments.base and arguments.out):
        parser.error("give --base and --out, or --evaluate")
    return arguments


if __name__ == "__main__":
    main()
