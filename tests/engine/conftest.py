"""Engine tests run on one thread: tiny tensors gain nothing from more."""

from pathlib import Path

import pytest
import torch

from tests.engine.local_model import build


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def model_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random Llama with a byte tokenizer and a chat template."""
    return build(tmp_path_factory.mktemp("model"))
