"""What the memory carries: states are changed between two blocks, and what moves behind them is measured.

Two modes. ``total``: the network runs on, so that a changed gate changes the features and these the later gates.
``memory``: squeezes are clamped to the recorded ones, so that the change reaches later gates through the state alone.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from dianet_lab.analysis.capture import CELL_GATES, USUAL, capture
from dianet_lab.analysis.interventions import HoldForget, Intervention, Replace, SetState, intervene, why_not_held
from dianet_lab.analysis.points import attentions
from dianet_lab.analysis.state_changes import KINDS, changed_state, looked_at
from dianet_lab.analysis.under import walk
from dianet_lab.data.batches import evaluation_batches
from dianet_lab.data.images import ImageData
from dianet_lab.errors import LabError
from dianet_lab.seeding import seed_of

MODES = ("total", "memory")
LIMIT = 250
"""Images whose states are changed if nobody says how many. They go through the network in one batch, and so do all that
are shown, and the training images: a thousand each, at most, in the notebooks."""

RESOLUTION = 1e-5
"""A gate that varies by less over images does not vary, in float32."""

NOTICED = 0.1
"""Of a gate's standard deviation over images: how far it must move for the memory to have reached it."""


@dataclass(frozen=True)
class Recorded:
    """One network's forward pass over some images, stage by stage.

    ``gates`` and ``squeezes`` are ``[image, block, channel]``, ``states`` the parts of the state, such as h and c, each
    ``[cells, image, block, channel]``; ``forget`` is the forget gate like the gates, or None.
    """

    batch: Tensor
    labels: Tensor
    logits: Tensor
    blocks: list[list[int]]
    gates: list[Tensor]
    squeezes: list[Tensor]
    states: list[dict[str, Tensor]]
    forget: list[Tensor | None]


@torch.no_grad()
def recorded(model: nn.Module, data: ImageData) -> Recorded:
    """All images of ``data`` through a model in eval mode, in one batch.

    Raises:
        LabError: a unit without a memory, or one that sees whole branches.
    """
    model.eval()
    device = next(model.parameters()).device
    batch, labels = next(evaluation_batches(data, len(data), device=device))
    with capture(model, (*USUAL, *CELL_GATES)) as trace:
        logits = model(batch)
    if not (trace.has("h") and trace.has("squeeze")):
        raise LabError("this network's units have no memory: there is no state to look at or to change")
    stages = trace.datasets()
    tensor = {name: [torch.from_numpy(stage[name].values) for stage in stages] for name in ("gate", "squeeze")}
    parts = [{name: _all_cells(stage, name) for name in ("h", "c") if name in stage} for stage in stages]
    forget = [torch.from_numpy(stage["f"].values) if "f" in stage else None for stage in stages]
    blocks = [stage["block"].values.tolist() for stage in stages]
    return Recorded(batch, labels.cpu(), logits.cpu(), blocks, tensor["gate"], tensor["squeeze"], parts, forget)


def _all_cells(stage, name: str) -> Tensor:
    """``[cells, image, block, channel]``, the top cell last."""
    lower = sorted(key for key in stage.data_vars if key.startswith(f"{name}."))
    return torch.stack([torch.from_numpy(stage[key].values) for key in (*lower, name)])


def state_effects(
    model: nn.Module, images: ImageData, train: ImageData, limit: int = LIMIT, seed: int = 0
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Change the state behind every block but the last of each stage, in every way, in both modes.

    Args:
        images: that are shown, and whose states may be put in the place of another's.
        train: over whose states the mean is taken.
        limit: of ``images``, whose states are changed (:func:`looked_at`).
        seed: decides whose states an image gets.

    Returns:
        gates: a row a change and later block: ``kind, mode, stage, source, target, effect``: how far the gates of block
            ``target`` move (root mean square over images and channels) over their standard deviation over images.
        outputs: a row a change: ``kind, mode, stage, source, images, accuracy, flips, kl``; ``flips`` is the share of
            the ``images`` whose predicted class changes, ``kl`` the mean divergence (nats) of the class probabilities
            from the intact.
    """
    chosen = looked_at(images, limit)
    run, pool, reference = (recorded(model, data) for data in (chosen, images, train))
    mine = torch.isin(images.index, chosen.index)
    gates, outputs = [], []
    for stage, blocks in enumerate(run.blocks):
        for index, block in enumerate(blocks[:-1]):
            here = {name: part[:, :, index] for name, part in pool.states[stage].items()}
            mean = {name: part[:, :, index].mean(1, keepdim=True) for name, part in reference.states[stage].items()}
            for kind in KINDS:
                # Anew for each kind, so that "random" is as long as the way to the very images of "other class".
                generator = torch.Generator().manual_seed(seed_of("state effects", seed, stage, block))
                new = changed_state(kind, here, mean, pool.labels, generator)
                change = SetState(stage, block, **{name: part[:, mine] for name, part in new.items()})
                which = {"kind": kind, "stage": stage, "source": block}
                for mode, moved, logits in both_modes(model, run, stage, index, change):
                    gates += [which | {"mode": mode} | row for row in _moved(run, stage, index, moved)]
                    outputs.append(which | {"mode": mode} | _outputs(run, logits))
    which = ["kind", "mode", "stage", "source"]
    return (
        pd.DataFrame(gates, columns=[*which, "target", "effect"]),
        pd.DataFrame(outputs, columns=[*which, "images", "accuracy", "flips", "kl"]),
    )


def _through_memory(model: nn.Module, run: Recorded, stage: int, *changes: Intervention) -> Tensor:
    """The gates of a stage ``[image, block, channel]`` that a change gives to the recorded squeezes."""
    with intervene(model, *changes):
        return walk(attentions(model)[stage], run.squeezes[stage])


def forget_effects(model: nn.Module, images: ImageData, train: ImageData, limit: int = LIMIT) -> pd.DataFrame:
    """Hold the forget gates of a stage at their mean over training images, or at 1 (nothing is forgotten) or 0.

    Returns:
        ``held, mode, stage, effect`` (as in :func:`state_effects`, mean over the stage's blocks), ``images, accuracy,
        flips, kl``; without a row for a stage whose unit has no forget gate that can be held.
    """
    run, reference = recorded(model, looked_at(images, limit)), recorded(model, train)
    rows = []
    for stage, attention in enumerate(attentions(model)):
        if why_not_held(attention, run.blocks[stage][0]):
            continue
        means = reference.forget[stage].mean(0)
        for held in ("mean", "1", "0"):
            values = [mean if held == "mean" else float(held) for mean in means]
            each = [HoldForget(stage, b, forget=v) for b, v in zip(run.blocks[stage], values, strict=True)]
            for mode, moved, logits in both_modes(model, run, stage, -1, *each):
                effect = float(np.mean([row["effect"] for row in _moved(run, stage, -1, moved)]))
                rows.append({"held": held, "mode": mode, "stage": stage, "effect": effect} | _outputs(run, logits))
    return pd.DataFrame(rows, columns=["held", "mode", "stage", "effect", "images", "accuracy", "flips", "kl"])


@torch.no_grad()
def both_modes(model: nn.Module, run: Recorded, stage: int, index: int, *changes: Intervention):
    """Yields ``(mode, gates of the stage [image, block, channel], logits)`` under interventions behind a block.

    In the mode ``memory`` the network runs with the gates that the recorded squeezes give: before the change, and in
    the stages behind, to which no state goes on, these are the recorded gates.
    """
    with intervene(model, *changes), capture(model, ["gate"]) as trace:
        logits = model(run.batch)
    yield "total", torch.from_numpy(trace.array("gate", stage).values), logits.cpu()
    moved = _through_memory(model, run, stage, *changes)
    later = list(enumerate(run.blocks[stage]))[index + 1 :]
    clamped = [Replace(stage, block, gate=moved[:, place]) for place, block in later]
    clamped += [
        Replace(behind, block, gate=run.gates[behind][:, place])
        for behind in range(stage + 1, len(run.blocks))
        for place, block in enumerate(run.blocks[behind])
    ]
    with intervene(model, *clamped):
        yield "memory", moved, model(run.batch).cpu()


def _moved(run: Recorded, stage: int, index: int, moved: Tensor) -> list[dict[str, float]]:
    """``target, effect`` of every block behind position ``index``."""
    intact = run.gates[stage].double()
    distance = (moved.double() - intact).square().mean((0, 2)).sqrt()
    spread = intact.var(0, correction=0).mean(1).sqrt().clamp_min(RESOLUTION)
    return [
        {"target": block, "effect": float(distance[place] / spread[place])}
        for place, block in enumerate(run.blocks[stage])
        if place > index
    ]


def _outputs(run: Recorded, logits: Tensor) -> dict[str, float]:
    intact, found = run.logits.double().log_softmax(1), logits.double().log_softmax(1)
    return {
        "images": len(logits),
        "accuracy": (logits.argmax(1) == run.labels).double().mean().item(),
        "flips": (logits.argmax(1) != run.logits.argmax(1)).double().mean().item(),
        "kl": (intact.exp() * (intact - found)).sum(1).mean().item(),
    }


def memory_map(model: nn.Module, images: ImageData, seed: int = 0, limit: int = LIMIT) -> pd.DataFrame:
    """How much the state of one block moves the gate of a later one, through the memory alone.

    The state behind block ``source`` becomes that of another image, of whatever class, with all squeezes clamped.

    Returns:
        ``stage, source, target, effect``: see :func:`state_effects`.
    """
    run = recorded(model, looked_at(images, limit))
    generator = torch.Generator().manual_seed(seed_of("memory map", seed))
    count = len(run.labels)
    order = (torch.arange(count) + torch.randint(1, count, (1,), generator=generator)) % count
    rows = []
    for stage, blocks in enumerate(run.blocks):
        for index, block in enumerate(blocks[:-1]):
            new = {name: part[:, :, index][:, order] for name, part in run.states[stage].items()}
            moved = _through_memory(model, run, stage, SetState(stage, block, **new))
            rows += [{"stage": stage, "source": block} | row for row in _moved(run, stage, index, moved)]
    return pd.DataFrame(rows, columns=["stage", "source", "target", "effect"])


def by_distance(effects: pd.DataFrame) -> pd.DataFrame:
    """The mean effect over sources by distance in blocks: the columns of the frame other than source and target.

    Args:
        effects: with ``source, target, effect`` and whatever else tells rows apart.
    """
    others = [name for name in effects if name not in ("source", "target", "effect", "distance")]
    frame = effects.assign(distance=effects["target"] - effects["source"])
    return frame.groupby([*others, "distance"], sort=False)["effect"].mean().reset_index()


def reach(curve: pd.DataFrame) -> int:
    """Up to which distance a curve of :func:`by_distance` stays at :data:`NOTICED` or above; 0 if nowhere."""
    far = 0
    for row in curve.sort_values("distance").itertuples():
        if row.effect < NOTICED:
            break
        far = int(row.distance)
    return far
