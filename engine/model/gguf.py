"""Models in GGUF files: read once through transformers, then kept as any other model's folder.

A conversion is named by the file's digest and the number format, and appears whole or not at all.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from functools import lru_cache
from pathlib import Path
from tempfile import mkdtemp

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

from engine.errors import ModelRefused

PART = re.compile(r"-\d{5}-of-\d{5}\.gguf$")
MAGIC = b"GGUF"
READ_BYTES = 2**22


def converted(file: Path, models_dir: Path, dtype: str) -> Path:
    """The folder that `file` was converted to, now or before: weights in `dtype`, tokenizer, chat
    template. ModelRefused names what cannot be read."""
    folder = _folder_of(file, models_dir, dtype)
    if not folder.is_dir():
        _convert(file.resolve(), folder, dtype)
    return folder


def configured(file: Path, models_dir: Path) -> tuple[str, dict[str, str]]:
    """Where transformers finds the configuration in `file`, and with what options: in what it was
    converted to, whatever the format, or else in the file itself, which takes seconds."""
    folder = _folder_of(file, models_dir, "*")
    if found := sorted(folder.parent.glob(folder.name)):
        return str(found[0]), {}
    return str(file.parent), {"gguf_file": file.name}


def _folder_of(file: Path, models_dir: Path, dtype: str) -> Path:
    if PART.search(file.name):
        raise ModelRefused(f"{file} is one of several parts: join them first (gguf-split --merge).")
    with file.open("rb") as head:
        if head.read(len(MAGIC)) != MAGIC:
            raise ModelRefused(f"{file} is no GGUF file.")
    stat = file.stat()
    digest = _digest(file.resolve(), stat.st_size, stat.st_mtime_ns)
    return models_dir.expanduser() / "converted" / f"{digest[:16]}-{dtype}"


@lru_cache(maxsize=8)
def _digest(file: Path, _size: int, _changed_at: int) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while part := stream.read(READ_BYTES):
            digest.update(part)
    return digest.hexdigest()


def _convert(file: Path, folder: Path, dtype: str) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        _write(file, draft, dtype)
        try:
            draft.rename(folder)
        except OSError:
            if not folder.is_dir():  # another process has just made the same
                raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _write(file: Path, folder: Path, dtype: str) -> None:
    place = {"pretrained_model_name_or_path": str(file.parent), "gguf_file": file.name}
    plain = GgufConfig(dequantize=True)
    try:
        AutoTokenizer.from_pretrained(**place).save_pretrained(folder)
        hf = AutoModelForCausalLM.from_pretrained(
            **place, dtype=getattr(torch, dtype), quantization_config=plain
        )
    except Exception as error:  # of the file, of what it describes, or of who reads it
        line = " ".join(str(error).split()) or type(error).__name__
        raise ModelRefused(
            f"{file} could not be read ({line[:200]}): name the folder or hub id of the model that "
            "it was made from."
        ) from error
    hf.save_pretrained(folder)
