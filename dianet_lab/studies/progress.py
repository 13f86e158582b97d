"""What a person sees while runs are trained: a bar on a terminal, plain lines elsewhere."""

import sys
import time
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

LINE_EVERY = 15.0
"""Seconds between two plain lines; a bar that redraws itself would fill a notebook's output."""


class Reporter(Protocol):
    """Told of every run that ends."""

    def start(self, name: str, total: int) -> None: ...

    def finished(self, arm: str, seed: int, accuracy: float | None, status: str) -> None: ...

    def close(self) -> None: ...


def duration(seconds: float) -> str:
    """``40 s``, ``7 min`` or ``3.5 h``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


class _Count:
    """Runs finished, failures, and the time left at the pace so far."""

    def start(self, name: str, total: int) -> None:
        self.name, self.total, self.done, self.bad = name, total, 0, 0
        self.began = time.monotonic()

    def advance(self, arm: str, seed: int, accuracy: float | None, status: str) -> str:
        self.done += 1
        self.bad += status != "finished"
        left = (time.monotonic() - self.began) / self.done * (self.total - self.done)
        what = f"{100 * accuracy:.1f} %" if accuracy is not None else status
        bad = f", {self.bad} diverged or failed" if self.bad else ""
        return f"{duration(left)} left, last: {arm}, seed {seed}: {what}{bad}"


class Lines(_Count):
    """A plain line at most every 15 seconds, and one at the end."""

    def start(self, name: str, total: int) -> None:
        super().start(name, total)
        self.last = self.began

    def finished(self, arm: str, seed: int, accuracy: float | None, status: str) -> None:
        text = self.advance(arm, seed, accuracy, status)
        if self.done == self.total or time.monotonic() - self.last >= LINE_EVERY:
            self.last = time.monotonic()
            print(f"{self.name}: {self.done}/{self.total} runs, {text}", flush=True)

    def close(self) -> None:
        pass


class Bar(_Count):
    """A bar on a terminal."""

    def start(self, name: str, total: int) -> None:
        super().start(name, total)
        columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
        self.bar = Progress(*columns, TextColumn("{task.fields[text]}"), console=Console(stderr=True))
        self.bar.start()
        self.task = self.bar.add_task(name, total=total, text="")

    def finished(self, arm: str, seed: int, accuracy: float | None, status: str) -> None:
        text = self.advance(arm, seed, accuracy, status)
        self.bar.update(self.task, completed=self.done, text=text)

    def close(self) -> None:
        self.bar.stop()


def reporter() -> Reporter:
    """A bar where the error stream is a terminal, else plain lines."""
    return Bar() if sys.stderr.isatty() else Lines()
