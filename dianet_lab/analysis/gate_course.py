"""The gate over training: where a function starts and how steeply, and where its gates lie epoch by epoch."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch

from dianet_lab.analysis.capture import capture_images
from dianet_lab.analysis.gates import QUANTILES, shown_images
from dianet_lab.attention.recurrent import ACTIVATIONS
from dianet_lab.data.sources import load_data
from dianet_lab.seeding import seed_of
from dianet_lab.studies.study import Study
from dianet_lab.training.device import repeatable, resolve_device
from dianet_lab.training.snapshots import look_at
from dianet_lab.training.trainer import Training

OUTPUT_GATE = 0.5
"""Of a fresh unit, whose maps give about zero."""


def activation_starts(study: Study, arms: Sequence[str]) -> pd.DataFrame:
    """Of each arm's ``h = o * f(c)`` for a fresh unit (o = 0.5, c = 0), from f itself.

    Columns: ``arm``, ``function``; ``gate``, where it starts; ``slope``, the derivative of the gate by c there; and
    ``range``, all values that the gate can take: a signed gate can turn a branch around.
    """
    rows = []
    for arm in arms:
        name = study.config(arm, study.seeds[0]).model.attention.activation
        at = torch.zeros((), dtype=torch.float64, requires_grad=True)
        value = ACTIVATIONS[name](at)
        (slope,) = torch.autograd.grad(value, at)
        ends = ACTIVATIONS[name](torch.tensor([-1e6, 1e6], dtype=torch.float64)).tolist()
        row = {"arm": arm, "function": name, "gate": OUTPUT_GATE * value.item(), "slope": OUTPUT_GATE * slope.item()}
        rows.append(row | {"range": " to ".join(_end(end) for end in ends)})
    return pd.DataFrame(rows)


def _end(value: float) -> str:
    if abs(value) > 100:
        return "\N{MINUS SIGN}∞" if value < 0 else "∞"
    return f"{value:g}".replace("-", "\N{MINUS SIGN}")


def gate_course(study: Study, arms: Sequence[str], seed: int, device: str = "auto") -> pd.DataFrame:
    """Quantiles of all gate values at some epochs of a training: ``arm, seed, epoch, mean, q05, q25, q50, q75, q95``.

    Each arm is trained once more from the start of ``seed``, as its stored run was, and its gates are captured on test
    images after some epochs (0 is before the first). A training that diverges ends there.
    """
    rows = []
    for arm in arms:
        config = study.config(arm, seed)
        place, images = resolve_device(device), shown_images(config)
        with repeatable(place, study.threads, seed_of("run", config.seed)):
            training = Training(config, load_data(config.data, config.seed), place)
            for epoch in look_at(config.train.epochs):
                while training.epoch < epoch and not training.diverged:
                    training.run_epoch()
                if training.diverged:
                    break
                training.model.eval()
                values = np.concatenate([gates.values.ravel() for gates in capture_images(training.model, images)])
                ends = np.quantile(values, list(QUANTILES.values()))
                row = {"arm": arm, "seed": seed, "epoch": epoch, "mean": float(values.mean())}
                rows.append(row | dict(zip(QUANTILES, map(float, ends), strict=True)))
    return pd.DataFrame(rows, columns=["arm", "seed", "epoch", "mean", *QUANTILES])
