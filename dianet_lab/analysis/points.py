"""Where gates can be watched and replaced: the hook point of every (stage, block), numbered from 0 in forward order."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from torch import nn

from dianet_lab.attention.stage import HookPoint, StageAttention, is_compiled, stage_attentions
from dianet_lab.errors import LabError

Position = tuple[int, int]
"""``(stage, block)``."""


def attentions(model: nn.Module) -> list[StageAttention]:
    """The attention of each stage of a network of the lab, or of any other with an attached unit.

    Raises:
        LabError: a compiled model, where hooks would not run; a plain one, which has no gates.
    """
    if is_compiled(model):
        raise LabError(f"{type(model).__name__} is compiled: use the original, such as model._orig_mod")
    found = list(stage_attentions(model).values())
    if not found:
        raise LabError("this model has no attention unit, so there is no gate to look at")
    return found


def hook_points(model: nn.Module) -> dict[Position, HookPoint]:
    """Every position of a network that has a gate, in forward order; raises as :func:`attentions`."""
    stages = enumerate(attentions(model))
    return {(stage, int(block)): point for stage, attention in stages for block, point in attention.points.items()}


def start_of(model: nn.Module) -> float:
    """Where the gates of a fresh unit of this network start, about; raises as :func:`attentions`."""
    unit = attentions(model)[0].units[0]
    return unit.initial_gate if unit.gate_start is None else unit.gate_start


def in_this_thread(hook: Callable) -> Callable:
    """A hook that other threads, which may use the same network, do not run."""
    thread = threading.get_ident()
    return lambda *seen: hook(*seen) if threading.get_ident() == thread else None


@contextmanager
def hooked(
    points: Mapping[Position, HookPoint], before: Callable | None = None, after: Callable | None = None
) -> Iterator[None]:
    """Inside, every point calls ``before(position, gate, state, squeeze) -> (gate, state)`` with what comes in, and
    ``after(position, gate, state, squeeze)`` with what goes out, in this thread only; no hook is left behind.

    All befores run before any after, whichever context was entered first; befores run in the order of their contexts.
    """

    def change(position: Position) -> Callable:
        def pre(module: HookPoint, inputs: tuple) -> tuple:
            return (*before(position, *inputs), inputs[2])

        return in_this_thread(pre)

    def look(position: Position) -> Callable:
        def post(module: HookPoint, inputs: tuple, output: tuple) -> None:
            after(position, *output, inputs[2])

        return in_this_thread(post)

    handles = []
    try:
        for position, point in points.items():
            if before:
                handles.append(point.register_forward_pre_hook(change(position)))
            if after:
                handles.append(point.register_forward_hook(look(position)))
        yield
    finally:
        for handle in handles:
            handle.remove()
