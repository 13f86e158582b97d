"""Which layer's gate mattered: a network as a function of its gates, explained by captum.

The gates of all positions are the INPUTS of the function, the images are held fixed. So captum needs no hook of its own
in a layer, which in a shared unit would see the last call only (captum's FAQ), and every (stage, block) gets an answer.
What it is an answer to: every gate is an input, so a gate does not reach later gates, neither through the memory nor
through the features that later squeezes see. An attribution is that of a gate's own multiplication of its branch.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from captum.attr import FeatureAblation, IntegratedGradients
from torch import Tensor, nn

from dianet_lab.analysis.capture import FACTORS, by_position, capture, capture_batches, multiplied
from dianet_lab.analysis.interventions import Replace, intervene
from dianet_lab.analysis.points import Position, hook_points
from dianet_lab.data.batches import evaluation_batches
from dianet_lab.data.images import ImageData
from dianet_lab.errors import LabError

STEPS = 20
"""Points of the Gauss-Legendre rule between baseline and gates."""

PIXELS = 32_000
"""What a network is given at once if nothing is said: 500 images of 8x8, 31 of 32x32, since gradients take memory."""

IMAGES = 100
"""Images that are explained at a time, at most."""

LARGE = 0.05
"""The share of the explained difference from which on a convergence delta is too large for the image to be read."""

NOISE = 1e-5
"""Logits: a smaller delta is rounding in float32, and attributions that are smaller in sum are none."""

Baseline = Mapping[Position, Tensor]


class Attributions(NamedTuple):
    """What the gates of one or several networks did, in logits, as tidy frames.

    A row is about one image and one ``target`` class: its own (``target == label``) and, if the network takes it for
    another, that one too (``target == predicted``). ``image`` is its id in its source.

    - ``layers``: ``image, label, predicted, target, stage, block``; ``attribution``, the integrated gradients summed
      over channels; ``ablation``, what the output loses where this layer's gate alone is at the baseline.
    - ``stages``: the same with all gates of a stage, without ``block``.
    - ``images``: ``image, label, predicted, target``; ``explained``, the output with the image's gates minus with all
      gates at the baseline; ``delta``, by how much the attributions miss it; ``relative``, |delta / explained|;
      ``converged``, whether delta is at most 5 % of what is explained, or rounding.
    """

    layers: pd.DataFrame
    stages: pd.DataFrame
    images: pd.DataFrame


def centred_logits(model: nn.Module, positions: Sequence[Position]) -> Callable[..., Tensor]:
    """``f(*gates, images) -> [batch, class]``: the logits under given gates, minus their mean over the classes.

    What all logits have in common changes no probability; without it, a class gets credit only for what sets it apart.
    Gates are ``[batch, channel]`` (of a spatial gate with height and width), one a position.
    """

    def function(*inputs: Tensor) -> Tensor:
        *gates, images = inputs
        given = [Replace(*position, gate=gate) for position, gate in zip(positions, gates, strict=True)]
        with intervene(model, *given):
            logits = model(images)
        return logits - logits.mean(1, keepdim=True)

    return function


def mean_gates(model: nn.Module, data: ImageData) -> dict[Position, Tensor]:
    """The mean gate of every position over the images of ``data``, ``[channel]``: one that does not listen."""
    sums: dict[Position, Tensor] = {}
    for stages in capture_batches(model, data, FACTORS):
        for position, gates in by_position(map(multiplied, stages)).items():
            sums[position] = sums.get(position, 0.0) + gates.double().sum(0)
    if not sums:
        raise LabError("no mean gate: the data set is empty")
    return {position: (total / len(data)).float() for position, total in sums.items()}


def attribute(
    model: nn.Module,
    data: ImageData,
    baseline: Baseline | float,
    steps: int = STEPS,
    batch_size: int | None = None,
    mistakes: bool = True,
) -> Attributions:
    """Integrated gradients (Sundararajan et al. 2017) and ablation of every gate, for every image of ``data``.

    Explained is the logit of a class minus the mean logit, between the gates that the model, in eval mode, gives to the
    image and the ``baseline``.

    Args:
        baseline: ``[channel]`` of every position, as :func:`mean_gates` gives it, or one number for all gates.
        steps: of the integral.
        batch_size: images that the network is given at once; :data:`PIXELS` decide if not given.
        mistakes: whether images that are taken for another class are asked about that class too.

    Raises:
        LabError: less than one step, no image, or a model without gates or compiled.
    """
    if steps < 1 or not len(data):
        raise LabError(f"got {steps} steps and {len(data)} images, expected at least one of each")
    rows = max(1, batch_size or PIXELS // data.images[0, 0].numel())
    device, positions, start = next(model.parameters()).device, list(hook_points(model)), 0
    function, names = centred_logits(model.eval(), positions), np.array(data.class_names)
    parts: list[Attributions] = []
    for images, labels in evaluation_batches(data, min(rows, IMAGES), device=device):
        ids = data.index[start : (start := start + len(labels))].numpy()
        with torch.no_grad(), capture(model, FACTORS) as trace:
            predicted = model(images).argmax(1)
        found = by_position(map(multiplied, trace.datasets()))
        gates = [found[position].to(device) for position in positions]
        ends = [_baseline(baseline, position, gate) for position, gate in zip(positions, gates, strict=True)]
        for asked, target in _targets(labels, predicted, mistakes):
            explainer = _Explainer(function, positions, [g[asked] for g in gates], ends, images[asked], target[asked])
            numbers = {"label": labels[asked], "predicted": predicted[asked], "target": target[asked]}
            about = {"image": ids[asked.cpu().numpy()]}
            about |= {name: names[values.cpu().numpy()] for name, values in numbers.items()}
            parts.append(explainer.frames(pd.DataFrame(about), steps, rows))
    return joined(parts)


class _Explainer(NamedTuple):
    """Some images, their gates and the classes that are asked about."""

    function: Callable[..., Tensor]
    positions: list[Position]
    gates: list[Tensor]
    baselines: list[Tensor]
    images: Tensor
    target: Tensor

    def frames(self, about: pd.DataFrame, steps: int, batch_size: int) -> Attributions:
        """See :class:`Attributions`; ``about`` has a row an image."""
        attribution, delta = self.integrated(steps, batch_size)
        numbers = [stage for stage, _ in self.positions]
        order = sorted(set(numbers))
        in_stage = np.array([[stage == number for number in numbers] for stage in order], float)
        ablation, whole = self.ablated(range(len(numbers))), self.ablated(map(order.index, numbers))
        whole = whole[:, [numbers.index(stage) for stage in order]]
        explained = attribution.sum(1) - delta
        with np.errstate(divide="ignore", invalid="ignore"):
            relative = np.abs(delta / explained)
        converged = np.abs(delta) <= np.maximum(LARGE * np.abs(explained), NOISE)
        places = pd.DataFrame(self.positions, columns=["stage", "block"])
        return Attributions(
            _long(about, places, attribution, ablation),
            _long(about, pd.DataFrame({"stage": order}), attribution @ in_stage.T, whole),
            about.assign(explained=explained, delta=delta, relative=relative, converged=converged),
        )

    def integrated(self, steps: int, batch_size: int) -> tuple[np.ndarray, np.ndarray]:
        """Integrated gradients ``[image, position]``, summed over channels, and convergence deltas ``[image]``."""
        found, delta = IntegratedGradients(self.function).attribute(
            tuple(self.gates),
            tuple(self.baselines),
            target=self.target,
            additional_forward_args=(self.images,),  # captum repeats them for every step, as it does the gates
            n_steps=steps,
            internal_batch_size=batch_size,
            return_convergence_delta=True,
        )
        sums = torch.stack([values.flatten(1).double().sum(1) for values in found], 1)
        return sums.detach().cpu().numpy(), delta.detach().double().cpu().numpy()

    def ablated(self, features: Iterable[int]) -> np.ndarray:
        """``[image, position]``: what is lost where all gates of the position's feature are at the baseline.

        captum ablates together what has one number in the masks, over all inputs; so a whole layer, or a whole stage.
        """
        pairs = zip(self.gates, features, strict=True)
        masks = [torch.full_like(gate[:1], number, dtype=torch.long) for gate, number in pairs]
        found = FeatureAblation(self.function).attribute(
            tuple(self.gates),
            tuple(self.baselines),
            target=self.target,
            additional_forward_args=(self.images,),
            feature_mask=tuple(masks),
        )
        return torch.stack([values.flatten(1)[:, 0].double() for values in found], 1).cpu().numpy()


def joined(parts: Sequence[Attributions]) -> Attributions:
    """Several put one below the other."""
    return Attributions(*(pd.concat(frames, ignore_index=True) for frames in zip(*parts, strict=True)))


def _targets(labels: Tensor, predicted: Tensor, mistakes: bool) -> Iterator[tuple[Tensor, Tensor]]:
    """Which images are asked about which class: all about their own, those that are wrong about the predicted too."""
    yield torch.arange(len(labels), device=labels.device), labels
    wrong = (predicted != labels).nonzero().flatten()
    if mistakes and len(wrong):
        yield wrong, predicted


def _baseline(baseline: Baseline | float, position: Position, gates: Tensor) -> Tensor:
    """``[1, channel]`` (with height and width of a spatial gate) like the gates of a position."""
    values = baseline[position] if isinstance(baseline, Mapping) else torch.tensor(float(baseline))
    return values.to(gates).expand(gates.shape[1:])[None].contiguous()


def _long(about: pd.DataFrame, places: pd.DataFrame, attribution: np.ndarray, ablation: np.ndarray) -> pd.DataFrame:
    """One row an image and place; the arrays are ``[image, place]``."""
    rows = about.loc[about.index.repeat(len(places))].reset_index(drop=True)
    where = pd.concat([places] * len(about), ignore_index=True)
    return pd.concat([rows, where], axis=1).assign(attribution=attribution.ravel(), ablation=ablation.ravel())
