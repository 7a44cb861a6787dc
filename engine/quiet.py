"""What torchao says when it is imported, and nobody who reads it could act upon.

transformers imports it wherever it is installed, whether or not a model has int8 or int4 weights,
so this must be known before transformers is imported.
"""

import logging
from functools import partial

# That it found no CUDA extensions and no Triton, and that torch has moved on.
HARMLESS = {
    "torchao": "Failed to load ",
    "torchao.kernel.intmm": "Warning: Detected no triton",
    "torch.utils._pytree": "%s is an Enum subclass",
}


def silence_torchao() -> None:
    for name, beginning in HARMLESS.items():
        logging.getLogger(name).addFilter(partial(_is_news, beginning))


def _is_news(beginning: str, record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith(beginning)
