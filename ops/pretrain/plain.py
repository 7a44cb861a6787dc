"""The texts of a data folder, held out and trained on, as plain files that `weir eval` reads.

    python -m ops.pretrain.plain --data FOLDER --out FOLDER

Lines are as the model reads them, in one file for talk and one for prose.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from ops.pretrain.corpus import Corpus, read_corpus


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m ops.pretrain.plain", description="Plain files of a data folder."
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of text, see README.md")
    parser.add_argument("--out", type=Path, required=True, help="folder for the files")
    arguments = parser.parse_args()
    trained_on, held_out = read_corpus(arguments.data).split()
    for name, corpus in (("trained_on", trained_on), ("held_out", held_out)):
        write_plain(corpus, arguments.out, name)


def write_plain(corpus: Corpus, folder: Path, name: str) -> None:
    """`{name}_{kind}.txt` for each kind of document that there is, in the order of their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    for kind in ("talk", "prose"):
        documents = [document for document in corpus.documents if document.kind == kind]
        if documents:
            with (folder / f"{name}_{kind}.txt").open("w", encoding="utf-8") as file:
                file.writelines(line.render() for document in documents for line in document.lines)


if __name__ == "__main__":
    main()
