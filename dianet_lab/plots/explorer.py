"""One image in one block: its gate channel by channel, what every layer's gate did for it, and the classes' odds.

What the image does by itself has the colour of the arm, what an intervention makes of it is dark, and what is usual on
training images is grey.
"""

from collections.abc import Sequence

import matplotlib.patheffects as effects
import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from dianet_lab.errors import DataError
from dianet_lab.plots.gates import GATE_COLORS
from dianet_lab.plots.style import FAINT, INK, arm_style, own_axes

MOST_CLASSES, MOST_MARKERS = 10, 64
USUAL = "#6b6b6b"


def plot_class_odds(
    before: np.ndarray,
    after: np.ndarray,
    class_names: Sequence[str],
    label: int,
    *,
    ax: Axes | None = None,
    arm: str = "DIA",
) -> Axes:
    """The probability of each class for one image, without and with an intervention.

    Of more than ten classes: the true one, and those that are likeliest with or without.

    Args:
        before, after: ``[class]``, 0 to 1.
        label: the true class, which is marked.
        arm: whose colour to use.
    """
    before, after = np.asarray(before, float), np.asarray(after, float)
    if before.shape != after.shape or len(before) != len(class_names):
        raise DataError(f"got {before.shape} and {after.shape} probabilities for {len(class_names)} class names")
    ax = own_axes(ax, 4, 3.2)
    likely = np.maximum(before, after)
    likely[label] = np.inf
    shown = np.sort(np.argsort(-likely, kind="stable")[:MOST_CLASSES])
    at = np.arange(len(shown))
    ax.barh(at - 0.2, before[shown], 0.38, color=arm_style(arm).color, gid="before")
    ax.barh(at + 0.2, after[shown], 0.38, color=INK, gid="after")
    ax.set_yticks(at, [f"{class_names[k]} (true)" if k == label else class_names[k] for k in shown])
    ax.get_yticklabels()[int(np.flatnonzero(shown == label)[0])].set_fontweight("bold")
    ax.set(xlim=(0, 1), xlabel="probability", title="class")
    ax.set_xticks([0, 0.5, 1])
    ax.invert_yaxis()
    ax.tick_params(axis="y", length=0)
    return ax


def plot_stage_gates(
    gates: np.ndarray, blocks: Sequence[int], block: int, *, ax: Axes | None = None, stage: int | None = None
) -> Axes:
    """The gates ``[block, channel]`` that one image gets in a stage, as a map with one block framed.

    Args:
        blocks: the number of each row.
        block: the one that is framed.
    """
    gates = np.asarray(gates, float)
    if len(gates) != len(blocks) or block not in blocks:
        raise DataError(f"got gates of {len(gates)} blocks numbered {list(blocks)}, and block {block} to frame")
    ax = own_axes(ax, 4.5, 3)
    first = blocks[0]
    extent = (-0.5, gates.shape[1] - 0.5, first + len(gates) - 0.5, first - 0.5)
    image = ax.imshow(gates, aspect="auto", interpolation="nearest", cmap=GATE_COLORS, extent=extent)
    frame = Rectangle(
        (-0.5, block - 0.5), gates.shape[1], 1, fill=False, edgecolor="white", linewidth=2, clip_on=False, gid="block"
    )
    frame.set_path_effects([effects.withStroke(linewidth=4.5, foreground=INK)])
    ax.add_patch(frame)
    ax.set(
        xlabel="channel (index)", ylabel="block (index)", title="gates" if stage is None else f"gates, stage {stage}"
    )
    ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    ax.yaxis.set_major_locator(MaxNLocator(8, integer=True))
    for spine in ax.spines.values():
        spine.set_visible(False)
    bar = ax.figure.colorbar(image, ax=ax, label="gate", fraction=0.06, pad=0.03)
    bar.outline.set_visible(False)
    return ax


def plot_gate_channels(
    gate: np.ndarray,
    changed: np.ndarray,
    usual: np.ndarray | None = None,
    spread: np.ndarray | None = None,
    *,
    ax: Axes | None = None,
    arm: str = "DIA",
    markers: bool = True,
) -> Axes:
    """One block's gate, channel by channel: this image's, with the intervention, and what is usual.

    Args:
        gate, changed: ``[channel]``; where the two are equal, only the first is drawn.
        usual, spread: mean and standard deviation ``[channel]`` over other images, a line and a band.
        arm: whose colour to use.
        markers: whether each channel has one, where there are few.
    """
    ax = own_axes(ax, 8.5, 2.4)
    channels = np.arange(len(gate))
    marked = markers and len(gate) <= MOST_MARKERS
    if usual is not None and spread is not None:
        ax.fill_between(channels, usual - spread, usual + spread, color=FAINT, alpha=0.6, linewidth=0, gid="spread")
    if usual is not None:
        ax.plot(channels, usual, color=USUAL, linewidth=1.4, linestyle=(0, (4, 2)), gid="usual")
    alone = "o" if len(gate) == 1 else ""
    own = {"marker": "o" if marked else alone, "markersize": 4.5, "linewidth": 1.6}
    ax.plot(channels, gate, color=arm_style(arm).color, **own, gid="gate")
    if not np.allclose(gate, changed, rtol=0, atol=1e-7):
        dotted = {"marker": "x" if marked or alone else "", "markersize": 5, "linestyle": (0, (1, 1.5))}
        ax.plot(channels, changed, color=INK, linewidth=1.5, **dotted, gid="changed")
    ax.set(xlabel="channel (index)", ylabel="gate")
    ax.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    ax.yaxis.set_major_locator(MaxNLocator(4))
    ax.margins(x=0.02)
    return ax


def plot_layer_effects(
    layers: Sequence[tuple[int, int]],
    changes: np.ndarray,
    chosen: tuple[int, int] | None = None,
    *,
    ax: Axes | None = None,
    arm: str = "DIA",
) -> Axes:
    """What one layer's gate changes in the true class's log-odds: a bar a layer, in forward order.

    Args:
        layers: ``(stage, block)`` of each bar.
        changes: ``[layer]``, in nats.
        chosen: the layer that is marked.
    """
    changes = np.asarray(changes, float)
    if len(layers) != len(changes):
        raise DataError(f"got {len(changes)} changes for {len(layers)} layers")
    ax = own_axes(ax, 8.5, 2.4)
    stages = np.array([stage for stage, _ in layers])
    at = np.arange(len(layers)) + 1.0 * stages  # a gap between stages
    ink = [INK if tuple(layer) == chosen else arm_style(arm).color for layer in layers]
    ax.bar(at, changes, 0.8, color=ink, gid="changes")
    ax.axhline(0, color=INK, linewidth=0.8)
    step = max(1, -(-len(layers) // 30))
    named = [k for k, (_, block) in enumerate(layers) if block % step == 0]
    ax.set_xticks(at[named], [str(layers[k][1]) for k in named])
    for stage in np.unique(stages):
        middle = at[stages == stage].mean()
        ax.annotate(
            f"stage {stage}", (middle, 1), xycoords=("data", "axes fraction"), xytext=(0, 1),
            textcoords="offset points", ha="center", va="bottom", fontsize=9.5, gid="stage",
        )  # fmt: skip
    ax.set(xlabel="block (index)", ylabel="change (nats)")
    ax.yaxis.set_major_locator(MaxNLocator(4))
    ax.margins(x=0.01)
    return ax
