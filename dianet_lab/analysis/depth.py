"""The study of depth, by depth: its frame, its effects, and from where on a shared unit has fewer parameters."""

import re
from collections.abc import Mapping

import pandas as pd

from dianet_lab.analysis.cost import crossover, units_by_depth
from dianet_lab.analysis.interval import points
from dianet_lab.backbones.registry import get_backbone
from dianet_lab.config import AttentionConfig, ModelConfig
from dianet_lab.errors import DataError

NAME = re.compile(r"depth (?P<depth>\d+): (?P<name>.+)")
"""What arms and contrasts at one depth are called: ``depth 56: DIA``, ``depth 56: DIA - plain``."""

MOST = 48
"""Blocks a stage up to which units are counted: a bottleneck ResNet-434."""


def by_depth(frame: pd.DataFrame) -> pd.DataFrame:
    """Runs of the study of depth with ``arm`` called as elsewhere (``DIA``), and with ``depth`` as a number.

    ``is_baseline`` then holds at every depth for the arm of that name.

    Args:
        frame: one row a run, with arm and is_baseline.

    Raises:
        DataError: an arm that is not called like ``depth 56: DIA``.
    """
    parts = frame["arm"].str.extract(f"^{NAME.pattern}$")
    if (unknown := parts["name"].isna()).any():
        raise DataError(f"arm {frame.loc[unknown, 'arm'].iloc[0]!r}: expected a name like 'depth 56: DIA'")
    baselines = set(parts.loc[frame["is_baseline"].astype(bool), "name"])
    return frame.assign(arm=parts["name"], depth=parts["depth"].astype(int), is_baseline=parts["name"].isin(baselines))


def gains(effects: pd.DataFrame) -> pd.DataFrame:
    """The effects that are of one depth: ``depth, gain`` (``DIA - plain``), ``n, estimate, low, high`` (fractions).

    Args:
        effects: rows of :func:`~dianet_lab.analysis.statistics.effects`; those across depths are left out.
    """
    parts = effects["contrast"].str.extract(f"^{NAME.pattern}$")
    named = effects.assign(depth=parts["depth"], gain=parts["name"]).dropna(subset="depth")
    return named.astype({"depth": int})[["depth", "gain", "n", "estimate", "low", "high"]].reset_index(drop=True)


def gain_table(effects: pd.DataFrame) -> pd.DataFrame:
    """One row a depth, one column a gain: ``+1.0 [−0.3, +2.3]`` in points, with its 95 % paired t interval.

    Without an interval (one seed) there is the estimate alone, without any run a dash.
    """
    rows = gains(effects)
    told = rows.assign(text=[_told(row.estimate, row.low, row.high) for row in rows.itertuples()])
    table = told.pivot(index="depth", columns="gain", values="text")[list(dict.fromkeys(rows["gain"]))]
    return table.rename_axis(columns=None).reset_index()


def _told(estimate: float, low: float, high: float) -> str:
    if pd.isna(estimate):
        return "–"
    return points(estimate) if pd.isna(low) else f"{points(estimate)} [{points(low)}, {points(high)}]"


def units_like(model: ModelConfig, arms: Mapping[str, AttentionConfig], most: int = MOST) -> pd.DataFrame:
    """:func:`~dianet_lab.analysis.cost.units_by_depth` of ResNets that differ from ``model`` in their depth alone.

    Args:
        model: a ResNet; its own depth and attention are not looked at.
        most: blocks a stage of the deepest one; the shallowest has two.
    """
    step, rest = get_backbone(model.backbone).rule(block=model.block)
    depths = [step * blocks + rest for blocks in range(2, most + 1)]
    return units_by_depth(model.backbone, depths, arms, block=model.block, width=model.width)


def crossing_sentence(costs: pd.DataFrame, arm: str, other: str, network: str) -> str:
    """From which depth on the units of ``arm`` have fewer parameters than those of ``other``, or that they never do.

    Args:
        costs: of :func:`units_like`.
        network: what the networks are called: ``bottleneck ResNets of width 16``.
    """
    deepest = costs["depth"].max()
    depth = crossover(costs, arm, other)
    if depth is None:
        return f"In {network} the units of {arm} have no fewer parameters than those of {other} up to depth {deepest}."
    return f"In {network} the units of {arm} have fewer parameters than those of {other} from depth {depth} on."
