"""`redis-cli` as far as the pages use it, for machines that have none."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from redis import Redis


def main(words: Sequence[str]) -> None:
    url = os.environ["WEIR_REDIS_URL"]
    # No timeout: BLOCK 0 waits for as long as it takes.
    with Redis.from_url(url, decode_responses=True, protocol=2, socket_timeout=None) as redis:
        if words[:2] == ["--scan", "--pattern"]:
            print(*redis.scan_iter(match=words[2]), sep="\n")
        else:
            reply = redis.execute_command(*words)
            print(*reply, sep="\n") if isinstance(reply, list) else print(reply)


if __name__ == "__main__":
    main(sys.argv[1:])
