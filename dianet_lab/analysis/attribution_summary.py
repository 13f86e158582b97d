"""What attributions of many images come to: by layer, by class, by network; and how far they can be trusted."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from dianet_lab.analysis.attribution import NOISE, Attributions
from dianet_lab.errors import LabError

NETWORK, PLACE = ["name", "seed"], ["stage", "block"]

MOST = 0.9
"""The share of a name's images that must have converged for its numbers to be read."""

MEASURES = ("explained", "total", "layers", "agreement")


def of_own_class(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows that are about the image's own class."""
    return frame[frame["target"] == frame["label"]]


def converged(found: Attributions) -> Attributions:
    """Without the images whose convergence delta is too large.

    Raises:
        LabError: there is no other.
    """
    keys = [*NETWORK, "image", "target"]
    kept = found.images.loc[found.images["converged"], keys]
    if kept.empty:
        raise LabError("no attribution adds up to what it explains: take more steps (the parameter steps)")
    layers, stages = (frame.merge(kept, on=keys) for frame in (found.layers, found.stages))
    return Attributions(layers, stages, found.images[found.images["converged"]])


def convergence(images: pd.DataFrame) -> pd.DataFrame:
    """One row a name: ``networks``, ``rows`` (explanations: an image and a class), ``|explained|`` (mean, logits), the

    ``median``, ``95 %`` quantile and ``largest`` of |delta / explained|, and ``converged (%)``.
    """
    rows = []
    for name, group in images.groupby("name", sort=False):
        relative = group["relative"]
        row = {"name": name, "networks": group["seed"].nunique(), "rows": len(group)}
        row |= {"|explained|": group["explained"].abs().mean(), "median": relative.median()}
        row |= {"95 %": relative.quantile(0.95), "largest": relative.max()}
        rows.append(row | {"converged (%)": 100 * group["converged"].mean()})
    return pd.DataFrame(rows)


def refused(images: pd.DataFrame) -> list[str]:
    """Names of which fewer than :data:`MOST` of the images have converged."""
    shares = images.groupby("name", sort=False)["converged"].mean()
    return list(shares.index[shares < MOST])


def by_layer(layers: pd.DataFrame) -> pd.DataFrame:
    """``name, seed, stage, block`` and ``size``, the mean over images of |attribution| to the own class (logits)."""
    own = of_own_class(layers)
    sizes = own.assign(size=own["attribution"].abs()).groupby([*NETWORK, *PLACE], sort=False)["size"].mean()
    return sizes.reset_index()


def class_map(layers: pd.DataFrame, classes: Sequence[str]) -> pd.DataFrame:
    """Mean attribution to the own class, class by ``(stage, block)``, of one network; NaN for a class without image."""
    table = of_own_class(layers).pivot_table(index="label", columns=PLACE, values="attribution", aggfunc="mean")
    return table.reindex(list(classes))


def class_maps(layers: pd.DataFrame, names: Sequence[str], classes: Sequence[str]) -> dict[str, pd.DataFrame]:
    """The :func:`class_map` of each name's first seed, of those that have rows."""
    found = {}
    for name in names:
        rows = layers[layers["name"] == name]
        if len(rows):
            found[name] = class_map(rows[rows["seed"] == rows["seed"].min()], classes)
    return found


def agreement(layers: pd.DataFrame) -> pd.DataFrame:
    """How alike integrated gradients and ablation rank the layers of an image: ``name, seed, image, agreement``.

    It is Spearman's rank correlation over layers, to the own class; NaN where there is nothing to rank.
    """
    rows = []
    for (name, seed), group in of_own_class(layers).groupby(NETWORK, sort=False):
        wide = group.pivot(index="image", columns=PLACE, values=["attribution", "ablation"])
        pair = wide["attribution"].to_numpy(), wide["ablation"].to_numpy()
        found = {"name": name, "seed": seed, "image": wide.index, "agreement": rank_correlation(*pair)}
        rows.append(pd.DataFrame(found))
    return pd.concat(rows, ignore_index=True)


def rank_correlation(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Spearman's correlation of each row of ``one`` with that of ``other``, ``[row]``; NaN where one is all alike.

    Rows that are nothing but rounding are all alike.
    """
    nothing = np.minimum(np.abs(one).sum(1), np.abs(other).sum(1)) < NOISE
    ranks = [rankdata(values, axis=1) for values in (one, other)]
    one, other = (values - values.mean(1, keepdims=True) for values in ranks)
    spread = np.sqrt((one**2).sum(1) * (other**2).sum(1))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(nothing | (spread == 0), np.nan, (one * other).sum(1) / spread)


def measures(found: Attributions) -> pd.DataFrame:
    """One row a network, as ``effects`` compares them: ``arm`` (the name), ``seed``, ``status``, and of the own class

    ``explained`` (mean over images, logits), ``total`` (mean over images of the layers' |attribution|, summed),
    ``layers`` (how many layers would give as unequal shares if they were equal: 1 / sum of squared shares) and
    ``agreement`` (mean over images). NaN where nothing is attributed.
    """
    explained = of_own_class(found.images).groupby(NETWORK, sort=False)["explained"].mean()
    sizes = by_layer(found.layers).groupby(NETWORK, sort=False)["size"]
    total = sizes.sum()
    layers = sizes.agg(lambda size: size.sum() ** 2 / (size**2).sum() if size.sum() > NOISE else np.nan)
    alike = agreement(found.layers).groupby(NETWORK, sort=False)["agreement"].mean()
    table = pd.DataFrame({"explained": explained, "total": total, "layers": layers, "agreement": alike})
    return table.reset_index().rename(columns={"name": "arm"}).assign(status="finished")


def by_stage(found: Attributions) -> pd.DataFrame:
    """``name, seed, stage`` and, of the own class, ``share`` (of the layers' |attribution|, 0 to 1), ``attribution``

    and ``ablation`` of the whole stage (means over images, logits).
    """
    size = by_layer(found.layers).groupby([*NETWORK, "stage"], sort=False)["size"].sum()
    whole = size.groupby(NETWORK, sort=False).transform("sum")
    means = of_own_class(found.stages).groupby([*NETWORK, "stage"], sort=False)[["attribution", "ablation"]].mean()
    return means.assign(share=(size / whole).where(whole > NOISE)).reset_index()


def between_seeds(layers: pd.DataFrame, classes: Sequence[str]) -> pd.DataFrame:
    """Whether another seed's network uses the same layers: Pearson correlations between seeds, a row a name.

    ``pairs`` of seeds; mean, lowest and highest correlation of the ``layers``' sizes, and of the ``map`` class by
    layer, each layer's mean over classes taken out, so that only what differs between classes counts. Pairs share
    networks and images, so that there is no interval.
    """
    rows = []
    for name, group in layers.groupby("name", sort=False):
        sizes = by_layer(group).pivot(index="seed", columns=PLACE, values="size").to_numpy()
        maps = np.array([_centred(class_map(one, classes)) for _, one in group.groupby("seed")])
        row: dict = {"name": name, "pairs": len(sizes) * (len(sizes) - 1) // 2}
        for what, values in (("layers", sizes), ("map", maps)):
            found = [_pearson(a, b) for a, b in combinations(values, 2)]
            row |= dict(zip((what, f"{what}, lowest", f"{what}, highest"), _mean_and_ends(found), strict=True))
        rows.append(row)
    return pd.DataFrame(rows)


def mistakes(found: Attributions) -> pd.DataFrame:
    """Of images that are taken for another class, what each stage's gates add to either class, means in logits.

    ``name, stage, networks, images, to its own class, to the predicted class``, over all seeds together.
    """
    wrong = found.stages[found.stages["label"] != found.stages["predicted"]]
    asked = wrong.groupby([*NETWORK, "image"])["target"].transform("nunique") == 2
    wrong = wrong[asked]
    own = wrong["target"] == wrong["label"]
    rows = []
    for (name, stage), group in wrong.groupby(["name", "stage"], sort=False):
        of_own = own.loc[group.index]
        means = [group.loc[which, "attribution"].mean() for which in (of_own, ~of_own)]
        row = {"name": name, "stage": stage, "networks": group["seed"].nunique(), "images": int(of_own.sum())}
        rows.append(row | dict(zip(("to its own class", "to the predicted class"), means, strict=True)))
    columns = ["name", "stage", "networks", "images", "to its own class", "to the predicted class"]
    return pd.DataFrame(rows, columns=columns)


def _centred(table: pd.DataFrame) -> np.ndarray:
    return (table - table.mean()).fillna(0.0).to_numpy()


def _pearson(one: np.ndarray, other: np.ndarray) -> float:
    one, other = np.ravel(one), np.ravel(other)
    if min(np.ptp(one), np.ptp(other)) < NOISE / one.size:
        return np.nan
    return float(np.corrcoef(one, other)[0, 1])


def _mean_and_ends(values: Sequence[float]) -> tuple[float, float, float]:
    known = [value for value in values if np.isfinite(value)]
    return (float(np.mean(known)), min(known), max(known)) if known else (np.nan,) * 3
