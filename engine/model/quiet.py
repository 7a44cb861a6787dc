"""Silences what libraries say that nobody could act upon, and lets their threads wait asleep.

transformers imports torchao wherever it is installed, whether or not a model has int8 or int4
weights, so this must be known before transformers is imported; how threads wait, before torch is.
"""

import logging
import os
from functools import partial

# torchao: that it found no CUDA extensions and no Triton, and that torch has moved on.
# transformers: a table of a model's weights that do not fit. Such a model is refused in one line;
# weights that nothing uses are no harm.
HARMLESS = {
    "torchao": "Failed to load ",
    "torchao.kernel.intmm": "Warning: Detected no triton",
    "torch.utils._pytree": "%s is an Enum subclass",
    "transformers.modeling_utils": " LOAD REPORT",
}


def silence_libraries() -> None:
    for name, part in HARMLESS.items():
        logging.getLogger(name).addFilter(partial(_is_news, part))


def wait_asleep() -> None:
    """A thread that has done its part of a product waits for the others. Awake, as OpenMP has it,
    it takes the time that they need, unless each has a core to itself: with others at work, two
    threads on two cores decode a fifteenth of what they do when they sleep."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def _is_news(part: str, record: logging.LogRecord) -> bool:
    return part not in str(record.msg)
