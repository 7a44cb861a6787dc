"""A peer that knows no model: what the other end of the line is tested with."""

from __future__ import annotations

import os
import sys

from engine.bench.peers.serve import serve


class FakePeer:
    def __init__(self, word: str) -> None:
        if word == "refuse":
            raise ValueError("no such word")
        self._word = word

    def repeat(self, times: int) -> str:
        return " ".join([self._word] * times)

    def chatter(self) -> str:
        """What libraries print must not be taken for a reply."""
        print('{"answer": "a lie"}', flush=True)
        os.write(1, b'{"answer": "another"}\n')
        return "the truth"

    def paths(self) -> list[str]:
        return sys.path

    def threads(self) -> str:
        return os.environ["OMP_NUM_THREADS"]

    def stumble(self) -> None:
        raise RuntimeError("a stone in the way")

    def collapse(self) -> None:
        print("first this", file=sys.stderr)
        print("then all of it", file=sys.stderr, flush=True)
        os._exit(3)


if __name__ == "__main__":
    serve(FakePeer)
