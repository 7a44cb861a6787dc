"""`weir chat`: a script, a person at a terminal, and what is said when something is wrong."""

from __future__ import annotations

import io
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

from engine.model.source import BUNDLED
from engine.weights.int8_linear import multiplies_int8
from tests.forks import PYTHON
from worker.cli import main

SMALL = ("--max-tokens", "5", "--num-recent", "40", "--num-threads", "1")
COMPUTING_IN_INT8 = ("--weight-dtype", "int8", "--compute-dtype", "int8")
FIGURES = re.compile(
    r"\[([\d,]+) tokens seen, ([\d,]+) slid out; window (\d+)/44, "
    r"KV ([\d,]+) bytes, RSS [\d,]+ MB\]"
)

Weir = Callable[..., tuple[int, str, str]]


@pytest.fixture
def chat(capsys: pytest.CaptureFixture[str]) -> Weir:
    def run(*words: str) -> tuple[int, str, str]:
        try:
            code = main(["chat", *words])
        except SystemExit as exit:
            code = int(exit.code or 0)
        out, err = capsys.readouterr()
        return code, out, err

    return run


@pytest.fixture
def script(tmp_path: Path) -> Path:
    file = tmp_path / "turns.txt"
    file.write_text("Hello there, how do you do today?\n\n  What is a weir?\n/memory\nAnd €?\n")
    return file


def test_a_script_is_played_with_its_answers_and_level_memory(chat: Weir, script: Path) -> None:
    code, out, err = chat("--turns", str(script), *SMALL)
    assert (code, err) == (0, "")
    texts = [line[2:] for line in out.splitlines() if line.startswith("> ")]
    assert texts == ["Hello there, how do you do today?", "What is a weir?", "And €?"]
    first, last = FIGURES.findall(out)
    assert out.endswith("]\n")
    assert first[3] == last[3]  # bytes
    assert 0 < int(first[0]) < int(last[0])


def test_the_same_seed_plays_the_same_chat(chat: Weir, script: Path) -> None:
    def answers(seed: str) -> str:
        words = ("--temperature", "2", "--seed", seed, "--system", "Be brief.")
        return FIGURES.sub("", chat("--turns", str(script), *SMALL, *words)[1])

    assert answers("3") == answers("3") != answers("4")


@pytest.mark.skipif(
    not multiplies_int8("cpu"), reason="this processor has no instructions for products of int8"
)
def test_a_script_is_played_by_a_model_that_computes_in_int8(chat: Weir, script: Path) -> None:
    code, out, err = chat("--turns", str(script), *SMALL, *COMPUTING_IN_INT8)
    assert (code, err) == (0, "")
    assert len(FIGURES.findall(out)) == 2


def test_a_processor_that_cannot_compute_in_int8_says_so_in_one_line(
    chat: Weir, script: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict, raising=False)
    code, out, err = chat("--turns", str(script), *SMALL, *COMPUTING_IN_INT8)
    assert (code, out) == (2, "")
    assert err.startswith("weir chat: compute_dtype='int8' needs a CPU with one of ")
    assert len(err.splitlines()) == 1


def test_standard_input_is_a_script_too(chat: Weir, monkeypatch: pytest.MonkeyPatch) -> None:
    for words in ((), ("--turns", "-")):
        stdin = io.TextIOWrapper(io.BytesIO("Grüße\n/quit\nnever said\n".encode()))
        monkeypatch.setattr(sys, "stdin", stdin)
        code, out, _ = chat(*SMALL, *words)
        assert code == 0
        assert out.startswith("> Grüße\n") and "never said" not in out


class Keyboard(io.StringIO):
    """What somebody types, with Ctrl-D at its end."""

    def isatty(self) -> bool:
        return True


def test_a_person_types_looks_at_memory_and_leaves_with_ctrl_d(
    chat: Weir, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", Keyboard("hello\n\n/memory\n"))
    code, out, _ = chat(*SMALL)
    assert code == 0
    assert out.startswith("bundled: /memory shows figures") and "a poor talker" in out
    assert out.count("> ") >= 4 and "> hello" not in out  # the terminal has shown it
    assert len(FIGURES.findall(out)) == 2


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--turns", "no-such-file"], "--turns='no-such-file' cannot be read: No such file"),
        (["--temperature", "-1"], "temperature=-1.0 is not valid: use 0 or more"),
        (["--top-p", "nan"], "top_p=nan is not valid"),
        (["--seed", "x"], "--seed: 'x' must be a whole number from 0 to "),
        (["--max-tokens", "0"], "max_tokens=0 is not valid: use 1 or more"),
        (["--model", "./no-such-model"], "./no-such-model could not be loaded"),
        (["--system", "word " * 50], "leaves 0 of a window of 44"),
        (["--compute-dtype", "int8"], "--compute-dtype='int8': needs WEIR_WEIGHT_DTYPE=int8"),
        (["--num-recent", "few"], "--num-recent='few': should be a valid integer"),
    ],
)
def test_what_is_wrong_is_one_line(chat: Weir, words: list[str], says: str, script: Path) -> None:
    code, out, err = chat("--turns", str(script), *SMALL, *words)
    assert (code, out) == (2, "")
    assert says in err
    assert len(err.splitlines()) == 1


def test_a_line_that_is_not_utf_8_is_named(chat: Weir, tmp_path: Path) -> None:
    file = tmp_path / "turns.txt"
    file.write_bytes(b"fine\n\xff\n")
    code, out, err = chat("--turns", str(file), *SMALL)
    assert code == 2
    assert err == "weir chat: --turns: line 2 is not UTF-8\n"
    assert out.startswith("> fine\n") and FIGURES.search(out)


def test_help_says_what_the_bundled_model_is_and_loads_no_torch() -> None:
    code = (
        "import sys; from worker.cli import main\n"
        "try: main(['chat', '--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted({'torch', 'celery', 'transformers'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    out = " ".join(run.stdout.split())
    assert "The bundled model is tiny and a poor talker" in out
    assert "--system" in out and "[WEIR_CHAT_TURNS]" in out and "[WEIR_MODEL]" in out
    assert out.endswith("[]")


@pytest.fixture
def endless_talker(tmp_path: Path) -> Path:
    """A tiny random model that never says the end token: an answer goes on until it is stopped."""
    folder = tmp_path / "model"
    tokenizer = AutoTokenizer.from_pretrained(BUNDLED)
    torch.manual_seed(0)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=1,
            num_attention_heads=2,
            bos_token_id=0,
            eos_token_id=None,
        )
    )
    model.save_pretrained(folder)
    tokenizer.eos_token = None  # <|end|> is a token like any other
    tokenizer.save_pretrained(folder)
    return folder


class Terminal:
    """`weir chat` on a terminal of its own, and a person who reads before typing."""

    def __init__(self, model: Path) -> None:
        self._mine, theirs = pty.openpty()
        words = ("--model", str(model), "--num-threads", "1", "--max-tokens", "1000000")
        command = [*PYTHON, "-m", "worker", "chat", "--temperature", "1", *words]
        self.process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs)
        os.close(theirs)
        self._unread = ""

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *error: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._mine)

    def read_until(self, text: str) -> str:
        """What came before `text`; fails if the command ends without it."""
        while text not in self._unread:
            self._unread += os.read(self._mine, 4096).decode("utf-8", "replace")
        before, _, self._unread = self._unread.partition(text)
        return before

    def read_some(self) -> str:
        """A little of an answer that is under way."""
        while len(self._unread) < 20:
            self._unread += os.read(self._mine, 4096).decode("utf-8", "replace")
        some, self._unread = self._unread, ""
        return some

    def type(self, text: str) -> None:
        os.write(self._mine, text.encode())

    def press_ctrl_c(self) -> None:
        self.process.send_signal(signal.SIGINT)


def test_a_person_stops_answers_and_ends_with_another_ctrl_c(endless_talker: Path) -> None:
    with Terminal(endless_talker) as terminal:
        assert "Ctrl-C stops an answer" in terminal.read_until("> ")
        for _ in range(2):
            terminal.type("Tell me a story\n")
            terminal.read_until("story\r\n")
            terminal.read_some()
            terminal.press_ctrl_c()
            terminal.read_until("\r\n> ")
        terminal.press_ctrl_c()
        assert "tokens seen" in terminal.read_until("MB]")
        assert terminal.process.wait() == 130


def test_ctrl_c_twice_ends_a_script(endless_talker: Path, tmp_path: Path) -> None:
    file = tmp_path / "turns.txt"
    file.write_text("one\ntwo\nthree\n")
    command = [*PYTHON, "-m", "worker", "chat", "--model", str(endless_talker)]
    words = ["--turns", str(file), "--max-tokens", "1000000", "--temperature", "1"]
    with subprocess.Popen([*command, *words], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        seen = b""
        for text in (b"> one\n", b"> two\n"):
            while len(seen.partition(text)[2]) < 20:
                seen += os.read(process.stdout.fileno(), 4096)
            process.send_signal(signal.SIGINT)
        seen += process.stdout.read()
    assert process.returncode == 130
    assert b"> three" not in seen and seen.endswith(b"MB]\n")


def test_ctrl_c_at_the_moment_of_the_prompt_is_noticed() -> None:
    code = (
        "from worker.commands.script import user_texts\n"
        "with user_texts(None) as texts:\n"
        "    for text in texts: print(f'[{text.strip()}]')"
    )
    for _ in range(8):  # where the signal falls is chance: before the wait, or in it
        mine, theirs = pty.openpty()
        command = [*PYTHON, "-c", code]
        with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs) as process:
            os.close(theirs)
            os.write(mine, b"hello\n")
            seen = b""
            while seen.count(b"> ") < 2:
                seen += os.read(mine, 4096)
            process.send_signal(signal.SIGINT)
            assert process.wait(20) != 0
        assert b"[hello]" in seen
        os.close(mine)
