"""What a network says of a data set under interventions, and what its units say of given squeezes."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from dianet_lab.analysis.interventions import Intervention, intervene
from dianet_lab.attention.stage import StageAttention
from dianet_lab.attention.unit import ChannelUnit
from dianet_lab.data.batches import evaluation_batches
from dianet_lab.data.images import ImageData
from dianet_lab.errors import LabError

Make = Callable[[slice], Sequence[Intervention]]
"""The interventions for a part of the images, so that each image can be given values of its own."""

BATCH = 500


def nothing(images: slice) -> Sequence[Intervention]:
    """No intervention: the intact network."""
    return ()


@torch.no_grad()
def logits_under(model: nn.Module, data: ImageData, make: Make = nothing, batch_size: int = BATCH) -> Tensor:
    """``[image, class]`` on the CPU, of a model in eval mode under interventions."""
    device, found, start = next(model.parameters()).device, [], 0
    model.eval()
    for batch, labels in evaluation_batches(data, batch_size, device=device):
        with intervene(model, *make(slice(start, start := start + len(labels)))):
            found.append(model(batch).float().cpu())
    return torch.cat(found)


def accuracy(logits: Tensor, data: ImageData) -> float:
    """The share of right answers, 0 to 1."""
    return (logits.argmax(1) == data.labels).sum().item() / len(data)


@contextmanager
def norms_anew(model: nn.Module, data: ImageData, make: Make = nothing, batch_size: int = BATCH) -> Iterator[None]:
    """Inside, the model's BatchNorms have the means and variances of ``data`` (training images) under interventions.

    Other gates shift what the norms behind them see; without this, a drop of accuracy may be the norms' alone. Each
    layer's statistics are averaged over the batches, in one pass. Afterwards the model is in eval mode and has the
    statistics that it had, to the bit, also after an error.
    """
    model.eval()
    norms = [module for module in model.modules() if isinstance(module, _BatchNorm) and module.track_running_stats]
    before = [({name: value.clone() for name, value in norm.named_buffers()}, norm.momentum) for norm in norms]
    try:
        _estimate(model, norms, data, make, batch_size)
        yield
    finally:
        for norm, (buffers, momentum) in zip(norms, before, strict=True):
            norm.momentum = momentum
            for name, value in buffers.items():
                getattr(norm, name).copy_(value)
        model.eval()


@torch.no_grad()
def _estimate(model: nn.Module, norms: list[_BatchNorm], data: ImageData, make: Make, batch_size: int) -> None:
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain average
        norm.train()
    start, batches = 0, -(-len(data) // batch_size)
    even = -(-len(data) // batches)  # or a short last batch would count as much as the others
    for batch, labels in evaluation_batches(data, even, device=next(model.parameters()).device):
        with intervene(model, *make(slice(start, start := start + len(labels)))):
            model(batch)
    model.eval()


@torch.no_grad()
def walk(attention: StageAttention, squeezes: Tensor) -> Tensor:
    """The gates ``[image, block, channel]`` that a stage's units give to recorded squeezes of the same shape.

    No feature is computed: what one block's state does to the gates of later ones goes through the memory alone. Inside
    ``intervene`` the interventions of this stage take part.

    Raises:
        LabError: a unit that does not see the branch through its squeeze only.
    """
    if not all(isinstance(unit, ChannelUnit) for unit in attention.units):
        raise LabError("this unit sees whole branches: without them its gates can't be told")
    like, state, gates = next(attention.parameters(), squeezes), None, []
    for index, block in enumerate(map(int, attention.points)):
        gate, state = attention.excite(block, squeezes[:, index].to(like), state)
        gates.append(gate[:, :, 0, 0])
    return torch.stack(gates, 1).cpu()
