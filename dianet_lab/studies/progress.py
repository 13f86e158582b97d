"""What a person sees while runs are trained: a bar on a terminal, plain lines elsewhere."""

import sys
import time
from abc import ABC, abstractmethod
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

LINE_EVERY = 15.0
"""Seconds between two plain lines; a bar that redraws itself would fill a notebook's output."""


class Reporter(Protocol):
    """Told of every run that ends, and of epochs meanwhile."""

    def start(self, name: str, runs: int, epochs: int) -> None: ...

    def epoch(self, run_id: str, done: int) -> None: ...

    def finished(self, run_id: str, title: str, epochs: int, accuracy: float | None, status: str) -> None: ...

    def note(self, text: str) -> None: ...

    def close(self) -> None: ...


def duration(seconds: float) -> str:
    """``40 s``, ``7 min`` or ``3.5 h``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


class _Count(ABC):
    """Runs and epochs done, failures, and the time left at the pace so far."""

    def start(self, name: str, runs: int, epochs: int) -> None:
        self.name, self.runs, self.epochs = name, runs, epochs
        self.done = self.done_epochs = self.bad = 0
        self.under_way: dict[str, int] = {}
        self.first: dict[str, int] = {}
        self.last = ""
        self.began = time.monotonic()

    def epoch(self, run_id: str, done: int) -> None:
        self.first.setdefault(run_id, done - 1)  # what a continued run has done before was not done now
        self.under_way[run_id] = done
        self.show()

    def finished(self, run_id: str, title: str, epochs: int, accuracy: float | None, status: str) -> None:
        self.under_way.pop(run_id, None)
        self.done += 1
        self.done_epochs += epochs
        self.bad += status != "finished"
        what = f"{100 * accuracy:.1f} %" if accuracy is not None else status
        self.last = f"{title}: {what}"
        self.show()

    def text(self) -> str:
        """``1,204/2,400 epochs, 3 min left, 1 diverged or failed, last: DIA, seed 3: 93.1 %``."""
        done = self.done_epochs + sum(self.under_way.values())
        parts = [f"{done:,}/{self.epochs:,} epochs"]
        now = done - sum(self.first[run_id] for run_id in self.under_way)
        if now > self.epochs / 100:  # earlier, it would say how long workers take to start
            left = (time.monotonic() - self.began) / now * (self.epochs - done)
            parts.append(f"{duration(left)} left")
        if self.bad:
            parts.append(f"{self.bad} diverged or failed")
        return ", ".join(parts + ([f"last: {self.last}"] if self.last else []))

    @abstractmethod
    def show(self) -> None:
        """Show the text, if it is time to."""


class Lines(_Count):
    """A plain line at most every 15 seconds, and one at the end."""

    def start(self, name: str, runs: int, epochs: int) -> None:
        super().start(name, runs, epochs)
        self.shown = self.began

    def show(self) -> None:
        if self.done == self.runs or time.monotonic() - self.shown >= LINE_EVERY:
            self.shown = time.monotonic()
            print(f"{self.name}: {self.done}/{self.runs} runs, {self.text()}", flush=True)

    def note(self, text: str) -> None:
        print(text, flush=True)

    def close(self) -> None:
        pass


class Bar(_Count):
    """A bar on a terminal."""

    def start(self, name: str, runs: int, epochs: int) -> None:
        super().start(name, runs, epochs)
        columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
        self.bar = Progress(*columns, TextColumn("{task.fields[text]}"), console=Console(stderr=True))
        self.bar.start()
        self.task = self.bar.add_task(name, total=runs, text="")

    def show(self) -> None:
        self.bar.update(self.task, completed=self.done, text=self.text())

    def note(self, text: str) -> None:
        self.bar.console.print(text, markup=False, highlight=False)

    def close(self) -> None:
        self.bar.stop()


def reporter() -> Reporter:
    """A bar where the error stream is a terminal, else plain lines."""
    return Bar() if sys.stderr.isatty() else Lines()
