"""A server whose clock can be stepped: a small library, loaded before its own, adds to the time
what it reads from a file. Needs a C compiler; without one there is no such server.
"""

from __future__ import annotations

import mmap
import shutil
import struct
import subprocess
from pathlib import Path

_SOURCE = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile long long *ahead;

static long long seconds_ahead(void) {
    if (!ahead) {
        int file = open(getenv("CHAOS_CLOCK"), O_RDONLY);
        ahead = mmap(0, 8, PROT_READ, MAP_SHARED, file, 0);
        close(file);
    }
    return *ahead;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int failed = syscall(SYS_clock_gettime, clock, now);
    if (!failed && clock == CLOCK_REALTIME) now->tv_sec += seconds_ahead();
    return failed;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec exact;
    clock_gettime(CLOCK_REALTIME, &exact);
    now->tv_sec = exact.tv_sec;
    now->tv_usec = exact.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *now) {
    struct timespec exact;
    clock_gettime(CLOCK_REALTIME, &exact);
    if (now) *now = exact.tv_sec;
    return exact.tv_sec;
}
"""


class Clock:
    """`environment` is for whoever is to live by it."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "seconds-ahead"
        self._file.write_bytes(bytes(8))
        library = folder / "clock.so"
        source = folder / "clock.c"
        source.write_text(_SOURCE)
        command = ["cc", "-shared", "-fPIC", "-O1", "-o", str(library), str(source)]
        subprocess.run(command, check=True)
        self.environment = {"LD_PRELOAD": str(library), "CHAOS_CLOCK": str(self._file)}

    @staticmethod
    def can_be_made() -> bool:
        return shutil.which("cc") is not None

    def step_to(self, seconds_ahead: int) -> None:
        """From now on it is so many seconds ahead of the machine's (below nought: behind)."""
        with self._file.open("r+b") as file, mmap.mmap(file.fileno(), 8) as memory:
            memory[:] = struct.pack("q", seconds_ahead)
