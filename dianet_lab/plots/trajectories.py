"""Walks of the state through the layers of a stage, in a plane: a line a class."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import seaborn as sns
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from dianet_lab.errors import DataError
from dianet_lab.plots.style import INK, arm_style, readable

COLUMNS = 3
NAMED = 10
"""Classes that get a colour and a name each; more are thin lines of one colour."""

START = {"marker": "o", "markersize": 5.5, "markerfacecolor": "white"}
END = {"marker": "s", "markersize": 4}
NAMED_END = {"marker": "o", "markersize": 11, "markerfacecolor": "white"}
"""In the key: the circle around a class's name."""


def plot_trajectories(models: Mapping[str, xr.DataArray], *, stage: int) -> Figure:
    """Class means of each network's state, from the first block (open circle) to the last (the class's name).

    A panel a network, each in the plane of its own: an axis has the share of that network's variance which lies along
    it, and the scales differ.

    Args:
        models: name -> ``[label, block, component]`` of :func:`~dianet_lab.analysis.trajectories.trajectory`.
        stage: the stage's number.

    Raises:
        DataError: no network, or other dimensions.
    """
    if not models:
        raise DataError("there is no network to draw: expected name -> trajectory")
    rows = -(-len(models) // COLUMNS)
    figure, axes = plt.subplots(
        rows, min(COLUMNS, len(models)), figsize=(9, 0.5 + 2.9 * rows), squeeze=False, layout="constrained"
    )
    for ax, (name, walk) in zip(axes.flat, models.items(), strict=False):
        _panel(ax, name, walk)
    for ax in axes.flat[len(models) :]:
        ax.set_axis_off()
    figure.legend(handles=_key(next(iter(models.values()))), loc="outside lower left", ncols=3, frameon=False)
    first = next(iter(models.values()))
    what = "without what all images have in common" if first.attrs["centred"] else "as it is"
    figure.suptitle(f"stage {stage}, {what}: class means in each network's own plane", x=0.01, ha="left", fontsize=10)
    return figure


def _panel(ax: Axes, name: str, walk: xr.DataArray) -> None:
    if set(walk.dims) != {"label", "block", "component"}:
        raise DataError(f"a trajectory has the dimensions label, block and component; got {', '.join(walk.dims)}")
    points = walk.transpose("label", "block", "component").values
    few = len(points) <= NAMED
    colors = sns.color_palette("colorblind", NAMED) if few else [arm_style(name).color] * len(points)
    for label, path, color in zip(walk["label"].values, points, colors, strict=False):
        x, y = path[:, 0], path[:, 1]
        ax.plot(x, y, color=color, linewidth=1.3 if few else 0.7, marker=".", markersize=4, gid=str(label))
        ax.plot(x[:1], y[:1], **START, color=color, zorder=3, gid="first")
        if few:
            box = {"boxstyle": "circle,pad=0.12", "facecolor": "white", "edgecolor": color, "linewidth": 1}
            ax.text(x[-1], y[-1], str(label), fontsize=7.5, color=INK, ha="center", va="center", bbox=box, gid="last")
        else:
            ax.plot(x[-1:], y[-1:], **END, color=color, zorder=3, gid="last")
    first, second = (f"component {k + 1}: {100 * share:.0f} %" for k, share in enumerate(walk.attrs["explained"]))
    ax.set(xlabel=f"{first} of variance", ylabel=f"{second} of variance")
    ax.margins(0.1)
    ax.tick_params(labelsize=8)
    ax.set_title(f"{name}: {walk.attrs['of']}", fontsize=10, color=readable(arm_style(name).color))


def _key(walk: xr.DataArray) -> list[Line2D]:
    look = {"color": INK, "linestyle": "none"}
    named = walk.sizes["label"] <= NAMED
    last = "last block, with the class's name" if named else "last block"
    return [
        Line2D([], [], **look, **START, label="first block"),
        Line2D([], [], color=INK, marker=".", label="blocks between"),
        Line2D([], [], **look, **(NAMED_END if named else END), label=last),
    ]
