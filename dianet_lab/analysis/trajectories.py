"""Walks of the state through the layers of a stage, in the plane in which most of its variance lies."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import xarray as xr
from sklearn.decomposition import PCA

from dianet_lab.errors import LabError

COMPONENTS = 2


def trajectory(stage: xr.Dataset, centred: bool = False) -> xr.DataArray:
    """Class means of the state in its two first principal components, block by block: ``[label, block, component]``.

    The rows of the principal component analysis are all (image, block) pairs, its columns the channels of h and of c,
    side by side and not rescaled; of a unit without a memory, which has no state, those of the gate.

    Args:
        stage: captured ``gate``, and ``h`` and ``c`` where there are any: ``[image, block, channel]``, with ``label``.
        centred: take each block's mean over images out first, so that what is left is what differs between images;
            else most of what is seen is the walk that all images have in common.

    Returns:
        the means, with the attributes ``of`` (``state (h, c)``, ``state h`` or ``gate``), ``centred``, and
        ``explained``, the share of the variance that lies in each component (0 to 1; 0 where nothing varies).

    Raises:
        LabError: neither a state nor a gate was captured.
    """
    names = [name for name in ("h", "c") if name in stage] or [name for name in ("gate",) if name in stage]
    if not names:
        raise LabError(f"a trajectory needs h and c, or the gate; captured were {', '.join(map(str, stage)) or 'none'}")
    values = np.concatenate([stage[name].transpose("image", "block", "channel").values for name in names], axis=2)
    values = values.astype(np.float64)  # untrained gates hardly vary
    if centred:
        values -= values.mean(0)
    scores, explained = _components(values.reshape(-1, values.shape[2]))
    of = "gate" if names == ["gate"] else "state (h, c)" if len(names) == 2 else f"state {names[0]}"
    coords = {"label": ("image", stage["label"].values), "block": stage["block"].values}
    points = xr.DataArray(scores.reshape(*values.shape[:2], -1), dims=("image", "block", "component"), coords=coords)
    return points.groupby("label").mean("image").assign_attrs(of=of, explained=explained, centred=centred)


def _components(rows: np.ndarray) -> tuple[np.ndarray, list[float]]:
    """Coordinates ``[row, component]`` and the share of the variance of each; zeros where there is none to be had."""
    scores, explained = np.zeros((len(rows), COMPONENTS)), [0.0] * COMPONENTS
    count = min(COMPONENTS, *rows.shape)
    if np.ptp(rows, axis=0).max() > 1e-12:
        fitted = PCA(count, svd_solver="covariance_eigh")
        scores[:, :count] = fitted.fit_transform(rows)
        explained[:count] = map(float, fitted.explained_variance_ratio_)
    return scores, explained


def explained_table(views: Mapping[str, list[xr.Dataset]]) -> pd.DataFrame:
    """How much of the variance the plane has, a row a network and stage.

    Columns ``network``, ``stage``, ``of``; ``walk``, the share of two components in all variance; and ``answer``, their
    share in what is left after each block's mean over images.
    """
    rows = []
    for name, stages in views.items():
        for number, stage in enumerate(stages):
            walk, answer = trajectory(stage), trajectory(stage, centred=True)
            row = {"network": name, "stage": number, "of": walk.attrs["of"]}
            rows.append(row | {"walk": sum(walk.attrs["explained"]), "answer": sum(answer.attrs["explained"])})
    return pd.DataFrame(rows)
