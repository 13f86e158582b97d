"""SIGTERM and Ctrl-C while runs are trained: end the current step, save, and then end as if nothing had caught them."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupted(BaseException):
    """Training ended after the current step because it was asked to; what it has done is saved.

    Like KeyboardInterrupt no Exception, so that nothing takes it for a failed run.
    """

    def __init__(self, reason: str):
        super().__init__(reason)
        self.reason = reason


class Stop:
    """A request to stop, from a signal or another thread; training looks at it after every step."""

    def __init__(self) -> None:
        self.reason: str | None = None

    def request(self, reason: str) -> None:
        """Ask to stop; the first reason stays."""
        self.reason = self.reason or reason

    def check(self) -> None:
        """Raise :class:`Interrupted` if it was asked for."""
        if self.reason:
            raise Interrupted(self.reason)


@contextmanager
def stop_at_signals(stop: Stop) -> Iterator[None]:
    """Inside, SIGTERM and Ctrl-C request a stop, and a second one takes effect at once; afterwards the signal is
    raised again, so that the process ends with the usual exit code and a notebook's cell with KeyboardInterrupt.

    In any other thread than the main one, which alone receives signals, it does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    # What is ignored stays so: in a background job of a script, Ctrl-C is meant for others.
    before = {number: signal.getsignal(number) for number in SIGNALS if signal.getsignal(number) != signal.SIG_IGN}
    received: list[int] = []

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)

    def handle(number: int, frame: FrameType | None) -> None:
        received.append(number)
        stop.request(signal.Signals(number).name)
        restore()

    for number in before:
        signal.signal(number, handle)
    try:
        yield
    except Interrupted as stopped:
        if received and stopped.reason == signal.SIGTERM.name:  # of Ctrl-C whoever pressed it knows
            print("\nStopped by SIGTERM. The same command goes on from the last checkpoints.", file=sys.stderr)
        raise  # where the signal, raised again, has no effect
    finally:
        restore()
        if received:
            sys.stdout.flush()
            signal.raise_signal(received[0])
