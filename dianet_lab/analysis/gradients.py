"""The gradient that reaches each block in the first updates of a training.

The abstract of a follow-up by the same group (arXiv 2210.16101v1) has it that dense implicit connections "recover and
enhance the information communication across layers and the value of the gradient", of training without skips, norms or
augmentation. Here the gradient of a block is that of its own parameters (convolutions and norms, without the
attention's), which is what moves it. Not that of its output: a norm undoes the scale of what it reads, so that a gate
of 0.25 makes outputs four times smaller and their gradients four times larger, and no weight moves differently for it.
Nor that of the unit, which sums over all blocks.
"""

from collections.abc import Collection, Iterable

import numpy as np
import pandas as pd
import torch

from dianet_lab.config import RunConfig
from dianet_lab.data.sources import load_data
from dianet_lab.models import ResidualNet
from dianet_lab.seeding import seed_of
from dianet_lab.studies.study import Study
from dianet_lab.training.device import repeatable, resolve_device
from dianet_lab.training.trainer import Training

UPDATES = (0, 10)
"""At the start, and after some updates, when norms and gates have moved."""


class _Enough(Exception):
    """All the updates that were asked for have been seen."""


def block_gradients(config: RunConfig, updates: Collection[int] = UPDATES, device: str = "auto") -> pd.DataFrame:
    """The gradient norm of every block after k updates of a run's own training: its start, its batches, its rates.

    Columns: ``seed, update`` (k: how many updates came before), ``stage`` and ``block`` (from 0, the block over the
    whole network), ``norm`` (Euclidean, over all parameters of the block; NaN or infinite once a training diverged).

    Args:
        config: of the run.
        updates: the values of k; where a run has fewer updates, its last one stands for those beyond.
        device: where to compute.
    """
    place, rows = resolve_device(device), {}
    with repeatable(place, torch.get_num_threads(), seed_of("run", config.seed)):
        training = Training(config, load_data(config.data, config.seed), place)
        last = len(training.stream) * config.train.epochs - 1
        asked = {min(update, last) for update in updates}

        def look() -> None:
            # Called after an update, whose gradients are still there: they are of the weights before it.
            number = training.epoch * len(training.stream) + training.step - 1
            if number in asked:
                rows[number] = _norms(training.model)
            if number >= max(asked):
                raise _Enough

        try:
            while True:
                training.run_epoch(look)
        except _Enough:
            pass
    found = [
        {"seed": config.seed, "update": update, "stage": stage, "block": block, "norm": norm}
        for update, norms in rows.items()
        for block, (stage, norm) in enumerate(norms)
    ]
    return pd.DataFrame(found, columns=["seed", "update", "stage", "block", "norm"])


def _norms(model: ResidualNet) -> list[tuple[int, float]]:
    """Stage and gradient norm of each block, in forward order."""
    found = []
    for stage, blocks in enumerate(model.stages):
        for block in blocks.blocks:
            parts = [p.grad.double().flatten() for p in block.parameters() if p.grad is not None]
            found.append((stage, torch.cat(parts).norm().item()))
    return found


def study_gradients(
    study: Study,
    condition: str,
    arms: Iterable[str],
    *,
    seeds: Iterable[int],
    depth: int | None = None,
    rate: float | None = None,
    updates: Collection[int] = UPDATES,
    device: str = "auto",
) -> pd.DataFrame:
    """:func:`block_gradients` of some arms of the study of stability, with a column ``arm`` (``DIA``) in front.

    Args:
        condition: ``no skip``, for example.
        depth, rate: of the cell; the deepest networks and the common rate if not given.
    """
    depth = depth or max(study.scale.shaky.depths)
    rate = rate or common_rate(study)
    parts = []
    for seed in seeds:
        for arm in arms:
            config = study.config(f"{condition}, depth {depth}, rate {rate:g}: {arm}", seed)
            parts.append(block_gradients(config, updates, device).assign(arm=arm))
    return pd.concat(parts, ignore_index=True)[["arm", "seed", "update", "stage", "block", "norm"]]


def common_rate(study: Study) -> float:
    """The rate of the study's grid that is nearest to that of all other studies (in its logarithm)."""
    return min(study.scale.shaky.rates, key=lambda rate: abs(np.log(rate / study.base.train.lr)))


def decay(frame: pd.DataFrame) -> pd.DataFrame:
    """How much of the gradient gets from the last block to the first: ``arm, update, seeds, ratio, low, high``.

    ``ratio`` is the norm at the first block over that at the last, the geometric mean over seeds, with the lowest and
    the highest seed. It is free of the scale of the loss. Blocks of a later stage have more parameters, so that 1 means
    nothing in itself: compare arms, which have the same blocks. ``typical`` is the geometric mean of the norm over
    blocks and seeds.

    Args:
        frame: of :func:`study_gradients`. A norm that is not finite or is 0 leaves its seed out.
    """
    wide = frame.pivot(index=["arm", "update", "seed"], columns="block", values="norm")
    logs = np.log(wide.where((wide > 0) & np.isfinite(wide)).dropna())
    ratios = logs[wide.columns[0]] - logs[wide.columns[-1]]
    by = ["arm", "update"]
    table = np.exp(ratios.groupby(by).agg(["mean", "min", "max"]))
    table.columns = ["ratio", "low", "high"]
    table.insert(0, "seeds", ratios.groupby(by).size())
    table["typical"] = np.exp(logs.mean(axis=1).groupby(by).mean())
    order = frame[by].drop_duplicates()
    return order.merge(table.reset_index(), on=by, how="left").fillna({"seeds": 0}).astype({"seeds": int})


def decay_sentence(table: pd.DataFrame, update: int = 0) -> str:
    """Of one update, in words: ``... first block over that at the last is plain 0.01 [0.008, 0.012], DIA ...``"""
    rows = table[(table["update"] == update) & (table["seeds"] > 0)]
    if rows.empty:
        return f"No gradient is finite at update {update}."
    when = "Before any update" if update == 0 else f"After {update} updates"
    told = ", ".join(
        f"{row.arm} {_short(row.ratio)} [{_short(row.low)}, {_short(row.high)}]" for row in rows.itertuples()
    )
    return (
        f"{when} the gradient at the first block over that at the last is {told} (geometric mean, lowest and highest "
        f"of {rows['seeds'].max()} seeds)."
    )


def _short(value: float) -> str:
    """Two digits that count: ``0.084``, ``120``."""
    return f"{float(f'{value:.2g}'):,g}"
