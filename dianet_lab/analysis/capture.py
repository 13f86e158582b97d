"""Watching the gates: every (stage, block) has a hook point of its own, so a shared unit shows all its calls."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
import xarray as xr
from torch import Tensor, nn

from dianet_lab.attention.stage import is_compiled, stage_attentions
from dianet_lab.backbones.residual import ResidualNet
from dianet_lab.data.batches import evaluation_batches
from dianet_lab.data.images import ImageData
from dianet_lab.errors import LabError

QUANTITIES = ("gate", "squeeze", "h", "c", "map")


@dataclass
class Trace:
    """What passed the hook points: for every (stage, block), in forward order, one tensor a forward pass.

    ``gate`` is the mean over space of a spatial gate; ``h`` and ``c`` are the top cell's states after the block, and
    are absent for a unit without a memory. ``map`` is a spatial gate itself, kept where ``spatial`` is asked for.
    """

    positions: list[tuple[int, int]]
    spatial: bool = False
    _seen: dict[tuple[int, int], dict[str, list[Tensor]]] = field(default_factory=dict)

    def record(self, position: tuple[int, int], gate: Tensor, state: Any, squeeze: Tensor | None) -> None:
        """Keep one call of one hook point."""
        values = {"gate": gate.flatten(2).mean(2), "squeeze": squeeze}
        if state is not None:
            values |= {name: value[-1] for name, value in state._asdict().items()}
        if self.spatial and gate[0, 0].numel() > 1:
            values["map"] = gate
        kept = self._seen.setdefault(position, {})
        for name, value in values.items():
            if value is not None:
                kept.setdefault(name, []).append(value.detach().float().cpu())

    def check(self) -> None:
        """Raise LabError where the forward passes left a position unseen, or saw one more often than another."""
        calls = {position: len(self._seen.get(position, {}).get("gate", [])) for position in self.positions}
        if len(set(calls.values())) > 1 or 0 in calls.values():
            raise LabError(f"hook points were not called alike: {calls}; run whole forward passes inside capture()")

    def has(self, quantity: str) -> bool:
        """Whether ``quantity`` was kept."""
        return quantity in self._seen[self.positions[0]]

    def array(self, quantity: str, stage: int) -> xr.DataArray:
        """``[image, block, channel]`` of one of :data:`QUANTITIES` in a 0-based stage; ``map`` has y and x too."""
        blocks = [block for number, block in self.positions if number == stage]
        if not blocks or quantity not in self._seen[stage, blocks[0]]:
            has = sorted(self._seen[self.positions[0]])
            last = self.positions[-1][0]
            raise LabError(f"no {quantity!r} of stage {stage}: this trace has {', '.join(has)} of stages 0 to {last}")
        values = torch.stack([torch.cat(self._seen[stage, block][quantity]) for block in blocks], dim=1)
        return xr.DataArray(
            values.numpy(),
            dims=("image", "block", "channel", "y", "x")[: values.dim()],
            coords={"block": blocks},
            name=quantity,
            attrs={"stage": stage},
        )

    def stages(self, quantity: str = "gate") -> list[xr.DataArray]:
        """One :meth:`array` a stage, in forward order."""
        return [self.array(quantity, stage) for stage in sorted({stage for stage, _ in self.positions})]


@contextmanager
def capture(model: nn.Module, spatial: bool = False) -> Iterator[Trace]:
    """Record every gate of the forward passes inside, in this thread; no hook is left behind, also after an error.

    Args:
        model: a network of the lab, or any other with an attached unit; its attention is counted in forward order.
        spatial: whether a spatial gate is kept itself and not only its mean.

    >>> with capture(model) as trace:  # doctest: +SKIP
    ...     model(images)
    >>> trace.array("gate", stage=2)  # [image, block, channel]

    Raises:
        LabError: a compiled model (hooks would not run), a plain one (no gates), or an incomplete forward pass.
    """
    if is_compiled(model):
        raise LabError(f"{type(model).__name__} is compiled: capture the original, such as model._orig_mod")
    stages = enumerate(stage_attentions(model).values())
    points = {(s, int(b)): point for s, attention in stages for b, point in attention.points.items()}
    if not points:
        raise LabError("this model has no attention unit, so there is no gate to capture")
    trace, thread = Trace(list(points), spatial), threading.get_ident()

    def hook(position: tuple[int, int]):
        def keep(module: nn.Module, inputs: tuple, output: tuple) -> None:
            if threading.get_ident() == thread:
                trace.record(position, *output, inputs[2])

        return keep

    handles = [point.register_forward_hook(hook(position)) for position, point in points.items()]
    try:
        yield trace
    finally:
        for handle in handles:
            handle.remove()
    trace.check()


@torch.no_grad()
def capture_images(model: ResidualNet, data: ImageData, batch_size: int = 250) -> list[xr.DataArray]:
    """The gates of a model in eval mode for all images of ``data``: one ``[image, block, channel]`` a stage.

    Coordinates: ``image`` is the image's id in its source, ``label`` its class name, ``correct`` whether the model
    gets it right.
    """
    device = next(model.parameters()).device
    correct = []
    model.eval()
    with capture(model) as trace:
        for batch, labels in evaluation_batches(data, batch_size, device=device):
            correct.append((model(batch).argmax(1) == labels).cpu())
    names = [data.class_names[label] for label in data.labels]
    coords = {"image": data.index.numpy(), "label": ("image", names), "correct": ("image", torch.cat(correct).numpy())}
    return [gates.assign_coords(coords) for gates in trace.stages()]
