"""A peer's end of the line: reads what to do, does it, answers. Loads nothing of ours but itself.

A request is {"do": name of a method, "with": its arguments}, the reply {"answer": ...} or
{"error": the reason}. The process ends with its input.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import Any, TextIO


def serve(make: Callable[..., object]) -> None:
    """Answer for the object that `make` makes of the arguments on the command line."""
    replies = _keep_stdout_for_replies()
    arguments = json.loads(sys.argv[1])
    peer: object | None = None
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if peer is None:
                peer = make(**arguments)
            reply: dict[str, Any] = {"answer": getattr(peer, request["do"])(**request["with"])}
        except Exception as error:  # whatever it is, the other side must hear of it
            reply = {"error": f"{type(error).__name__}: {error}"}
        replies.write(json.dumps(reply) + "\n")
        replies.flush()


def _keep_stdout_for_replies() -> TextIO:
    """Libraries print; from here on what they print goes to standard error."""
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return replies
