"""Watching the gates: every (stage, block) has a hook point of its own, so a shared unit shows all its calls."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from dianet_lab.analysis.points import Position, attentions, hook_points, hooked
from dianet_lab.attention.lstm import DIALSTM
from dianet_lab.attention.stage import StageAttention
from dianet_lab.data.batches import evaluation_batches
from dianet_lab.data.images import ImageData
from dianet_lab.errors import LabError, unknown_name

STATES = ("h", "c")
CELL_GATES = ("i", "f", "g", "o")
USUAL = ("gate", "squeeze", *STATES)
"""What is kept if nothing else is asked for."""

ALL = (*USUAL, *CELL_GATES)
QUANTITIES = (*ALL, "map")
FACTORS = ("gate", "map")
"""What a branch is multiplied by: see :func:`multiplied`."""


class Trace:
    """What passed the hook points: for every (stage, block), in forward order, one tensor a forward pass.

    Args:
        stages: the attention of each stage.
        positions: of the hook points.
        quantities: what to keep of :data:`QUANTITIES`: ``gate`` (of a spatial gate its mean over space), ``squeeze``,
            ``h`` and ``c`` after the block, ``i``, ``f``, ``g``, ``o`` of an LSTM as its cell computes them (a forget
            gate that an intervention holds is not seen), and ``map``, a spatial gate itself.
            Of stacked cells these are the top one's; the others have their number after a dot, as ``h.0``. What a unit
            does not have is left out.
    """

    def __init__(self, stages: Sequence[StageAttention], positions: Sequence[Position], quantities: Iterable[str]):
        self.positions, self.quantities = list(positions), frozenset(quantities)
        for name in self.quantities - set(QUANTITIES):
            raise unknown_name("quantity", name, QUANTITIES)
        self._stages = stages
        self._state: dict[int, Any] = {}
        self._seen: dict[Position, dict[str, list[Tensor]]] = {position: {} for position in self.positions}
        self._calls = dict.fromkeys(self.positions, 0)

    def record(self, position: Position, gate: Tensor, state: Any, squeeze: Tensor | None) -> None:
        """Keep one call of one hook point."""
        stage, block = position
        attention = self._stages[stage]
        self._calls[position] += 1
        first = block == attention.share_from
        values = {"squeeze": squeeze, "gate": _channelwise(gate)}
        if state is not None:
            values |= {f"{name}{cell}": v for name in STATES if hasattr(state, name) for cell, v in _cells(state, name)}
        if self.quantities & set(CELL_GATES) and squeeze is not None:
            values |= self._cell_gates(attention, block, squeeze, None if first else self._state[stage])
            self._state[stage] = state if state is None else state._make([part.detach() for part in state])
        if gate[0, 0].numel() > 1:
            values["map"] = gate
        kept = self._seen[position]
        for name, value in values.items():
            if value is not None and name.partition(".")[0] in self.quantities:
                # A copy: a gate that sees no image is a view of its parameter, which may change afterwards.
                kept.setdefault(name, []).append(value.detach().to("cpu", torch.float32, copy=True))

    def _cell_gates(self, attention: StageAttention, block: int, squeeze: Tensor, before: Any) -> dict[str, Tensor]:
        """i, f, g, o, which the unit does not hand out: computed again from the squeeze and the state before."""
        unit = attention.units[attention.owner[block]]
        if not isinstance(unit, DIALSTM):
            return {}
        if unit.training and len(unit.cells) > 1:
            raise LabError("the gates of stacked cells can't be told in training mode, for dropout: call model.eval()")
        with torch.no_grad():
            steps = unit.steps(squeeze, before, *attention.embedding_of(block))
        last = len(steps) - 1
        return {
            name if cell == last else f"{name}.{cell}": getattr(step, name)
            for cell, step in enumerate(steps)
            for name in CELL_GATES
        }

    def check(self) -> None:
        """Raise LabError where the forward passes left a position unseen, or saw one more often than another."""
        if len(set(self._calls.values())) > 1 or 0 in self._calls.values():
            raise LabError(
                f"hook points were not called alike: {self._calls}; run whole forward passes inside capture()"
            )

    def has(self, quantity: str, stage: int = 0) -> bool:
        """Whether ``quantity`` was kept of a stage."""
        return quantity in self._seen[next(position for position in self.positions if position[0] == stage)]

    def array(self, quantity: str, stage: int) -> xr.DataArray:
        """``[image, block, channel]`` of one quantity in a 0-based stage; ``map`` has y and x too.

        Raises:
            LabError: no such stage, or the quantity was not kept.
        """
        blocks = [block for number, block in self.positions if number == stage]
        if not blocks or quantity not in self._seen[stage, blocks[0]]:
            has, last = sorted(self._seen[self.positions[0]]), self.positions[-1][0]
            raise LabError(
                f"no {quantity!r} of stage {stage}: this trace has {', '.join(has) or 'nothing'} of stages 0 to {last}"
            )
        values = torch.stack([torch.cat(self._seen[stage, block][quantity]) for block in blocks], dim=1)
        dims = ("image", "block", "channel", "y", "x")[: values.dim()]
        return xr.DataArray(values.numpy(), dims=dims, coords={"block": blocks}, name=quantity, attrs={"stage": stage})

    def stages(self, quantity: str = "gate") -> list[xr.DataArray]:
        """One :meth:`array` a stage, in forward order."""
        return [self.array(quantity, stage) for stage in range(len(self._stages))]

    def datasets(self) -> list[xr.Dataset]:
        """Everything that was kept: one data set a stage, a variable a quantity."""
        names = [list(self._seen[next(p for p in self.positions if p[0] == s)]) for s in range(len(self._stages))]
        return [
            xr.Dataset({name: self.array(name, stage) for name in kept}, attrs={"stage": stage})
            for stage, kept in enumerate(names)
        ]


def _channelwise(gate: Tensor) -> Tensor:
    """``[batch, channel]`` of a gate ``[batch, channel, height, width]``."""
    return gate[:, :, 0, 0] if gate[0, 0].numel() == 1 else gate.flatten(2).mean(2)


def _cells(state: Any, name: str) -> list[tuple[str, Tensor]]:
    """``("", top cell)`` and ``(".0", lowest cell)``, ... of ``[cells, batch, channel]``."""
    *lower, top = getattr(state, name)
    return [(f".{cell}", value) for cell, value in enumerate(lower)] + [("", top)]


@contextmanager
def capture(model: nn.Module, quantities: Iterable[str] = USUAL) -> Iterator[Trace]:
    """Record the forward passes inside, in this thread; no hook is left behind, also after an error.

    Captures nest, and see gates as interventions have left them (:func:`~dianet_lab.analysis.interventions.intervene`).

    Args:
        model: a network of the lab, or any other with an attached unit; its attention is counted in forward order.
        quantities: what to keep, see :class:`Trace`.

    >>> with capture(model) as trace:  # doctest: +SKIP
    ...     model(images)
    >>> trace.array("gate", stage=2)  # [image, block, channel]

    Raises:
        LabError: a compiled model (hooks would not run), a plain one (no gates), an incomplete forward pass.
        ConfigError: an unknown quantity.
    """
    points = hook_points(model)
    trace = Trace(attentions(model), list(points), quantities)
    with hooked(points, after=trace.record):
        yield trace
    trace.check()


@torch.no_grad()
def capture_batches(
    model: nn.Module, data: ImageData, quantities: Iterable[str] = USUAL, batch_size: int = 250
) -> Iterator[list[xr.Dataset]]:
    """A model in eval mode over all images of ``data``, batch by batch in bounded memory: one data set a stage.

    Coordinates: ``image`` is the image's id in its source, ``label`` its class name, ``correct`` whether the model
    gets it right.
    """
    device = next(model.parameters()).device
    names, start = np.array(data.class_names), 0
    model.eval()
    for batch, labels in evaluation_batches(data, batch_size, device=device):
        with capture(model, quantities) as trace:
            correct = (model(batch).argmax(1) == labels).cpu().numpy()
        part = slice(start, start := start + len(labels))
        coords = {
            "image": data.index[part].numpy(),
            "label": ("image", names[data.labels[part].numpy()]),
            "correct": ("image", correct),
        }
        yield [stage.assign_coords(coords) for stage in trace.datasets()]


def capture_data(
    model: nn.Module, data: ImageData, quantities: Iterable[str] = USUAL, batch_size: int = 250
) -> list[xr.Dataset]:
    """What :func:`capture_batches` yields as a whole: one data set ``[image, block, channel]`` a stage, in memory."""
    return joined(capture_batches(model, data, quantities, batch_size))


def capture_images(model: nn.Module, data: ImageData, batch_size: int = 250) -> list[xr.DataArray]:
    """The gates alone: one ``[image, block, channel]`` a stage, with the coordinates of :func:`capture_batches`."""
    return [stage["gate"] for stage in capture_data(model, data, ["gate"], batch_size)]


def joined(batches: Iterable[list[xr.Dataset]]) -> list[xr.Dataset]:
    """Batches of captured stages put together along the images.

    Raises:
        LabError: there is none.
    """
    parts = list(zip(*batches, strict=True))
    if not parts:
        raise LabError("no image was captured: the data set is empty")
    return [xr.concat(stage, "image", combine_attrs="override") for stage in parts]


def multiplied(stage: xr.Dataset) -> xr.DataArray:
    """The gates of a stage as they multiply the branch: a spatial gate's ``map``, else ``[image, block, channel]``.

    Args:
        stage: with :data:`FACTORS` captured.
    """
    return stage["map"] if "map" in stage else stage["gate"]


def by_position(stages: Iterable[xr.DataArray]) -> dict[Position, Tensor]:
    """One quantity of all stages in forward order, a tensor a position: ``[image, channel]``, a map with y and x."""
    return {
        (stage, int(block)): torch.from_numpy(values.sel(block=block).values.copy())
        for stage, values in enumerate(stages)
        for block in values.block
    }
