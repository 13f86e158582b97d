"""A state as one figure."""

import math
import textwrap

from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from dianet_lab.analysis.interval import written
from dianet_lab.explore.explorer import Explorer
from dianet_lab.explore.seen import Neighbour, Seen, told
from dianet_lab.explore.state import THIS, State
from dianet_lab.plots.explorer import USUAL, plot_class_odds, plot_gate_channels, plot_layer_effects, plot_stage_gates
from dianet_lab.plots.style import FAINT, INK, arm_style

SIZE = (9, 10)
"""Inches: about 800 pixels wide in a report."""

WIDE = 118
"""Characters in a line of the text on top."""


def picture(state: State, runs: Explorer) -> Figure:
    """The picture of a state, which is what the widgets show and a report prints.

    It has no window of pyplot's, so nothing has to be closed.

    Raises:
        LabError: a run, an image, a stage or a block that is not there.
    """
    return draw(runs.look(state))


def draw(seen: Seen) -> Figure:
    """The figure: image, classes and stage; the block's gate; its neighbours; what every layer did."""
    figure = Figure(figsize=SIZE, layout="constrained")
    head, top, middle, sides, bottom = figure.subfigures(5, 1, height_ratios=[0.95, 2.6, 2.4, 2.0, 2.3])
    _head(seen, head)
    _image(seen, top)
    _block(seen, middle.subplots())
    panels = sides.subplots(1, 2, sharey=all(seen.neighbours))
    for ax, neighbour, name in zip(panels, seen.neighbours, ("before", "after"), strict=True):
        _side(seen, ax, neighbour, name)
    ax = plot_layer_effects(
        seen.layers, seen.attribution, (seen.state.stage, seen.state.block), ax=bottom.subplots(), arm=seen.arm
    )
    title = "log-odds of the true class when one layer's gate becomes its mean over training images"
    ax.set_title(
        f"{title}\n(dark: the chosen block; all layers at once: {_nats(seen.all_layers)} nats)", fontsize=10.5, pad=18
    )
    return figure


def _head(seen: Seen, figure: SubFigure) -> None:
    """Title and what was done, in a place of its own, so that a long text squeezes no axes."""
    state = seen.state
    shown = "" if state.view == THIS else f" [{state.view}]"
    lines = [f"image {state.image}: {told(state)}; {_effect(seen)}", *seen.notes]
    figure.text(0.01, 0.97, f"{seen.title}{shown}", va="top", fontsize=12.5, fontweight="bold")
    figure.text(0.01, 0.68, "\n".join(textwrap.fill(line, WIDE) for line in lines), va="top", fontsize=10)


def _image(seen: Seen, figure: SubFigure) -> None:
    left, odds, gates = figure.subplots(1, 3, width_ratios=[1.0, 1.25, 1.9])
    pixels = seen.picture.transpose(1, 2, 0) if len(seen.picture) == 3 else seen.picture[0]
    left.imshow(pixels, cmap="gray", interpolation="nearest")
    names, guess = seen.class_names, int(seen.before.argmax())
    left.set(title=f"true: {names[seen.label]}", xticks=[], yticks=[], anchor="N")
    left.set_xlabel(f"predicted: {names[guess]}\nat {_percent(seen.before[guess])}")
    plot_class_odds(seen.before, seen.after, names, seen.label, ax=odds, arm=seen.arm)
    plot_stage_gates(seen.gates, seen.blocks, seen.state.block, ax=gates, stage=seen.state.stage)


def _effect(seen: Seen) -> str:
    true = seen.class_names[seen.label]
    odds = f"{_percent(seen.before[seen.label])} to {_percent(seen.after[seen.label])}"
    return f"the true class, {true}, goes from {odds}, its log-odds change by {_nats(seen.effect)} nats."


def _percent(share: float) -> str:
    return f"{100 * share:.1f}\N{NO-BREAK SPACE}%"


def _nats(value: float) -> str:
    return written(value, 3, "+")


def _block(seen: Seen, ax: Axes) -> None:
    row = seen.row
    plot_gate_channels(seen.gates[row], seen.changed[row], seen.usual[row], seen.spread[row], ax=ax, arm=seen.arm)
    ax.set_title(f"stage {seen.state.stage}, block {seen.state.block}", pad=24)
    handles = [
        Line2D([], [], color=arm_style(seen.arm).color, marker="o", markersize=4.5, label="this image"),
        Line2D([], [], color=INK, marker="x", markersize=5, linestyle=(0, (1, 1.5)), label="with the intervention"),
        Line2D([], [], color=USUAL, linestyle=(0, (4, 2)), label="mean over training images"),
        Patch(color=FAINT, alpha=0.6, label="± its deviation"),
    ]
    ax.legend(handles=handles, loc="lower left", bbox_to_anchor=(0, 1), ncols=4, borderaxespad=0.2, columnspacing=1.6)


def _side(seen: Seen, ax: Axes, neighbour: Neighbour | None, name: str) -> None:
    if neighbour is None:
        ax.set_axis_off()
        ends = "first" if name == "before" else "last"
        ax.text(0.5, 0.5, f"no block {name}: this is the\n{ends} with a gate in its stage", ha="center", va="center")
        return
    row = seen.blocks.index(neighbour.block)
    plot_gate_channels(
        neighbour.gate, neighbour.changed, seen.usual[row], seen.spread[row], ax=ax, arm=seen.arm, markers=False
    )
    ax.set_ylabel("gate" if name == "before" else "")
    ax.set_title(
        f"block {name} ({neighbour.block}): r = {_r(neighbour.r)}, less the means {_r(neighbour.r_own)}", fontsize=10.5
    )


def _r(value: float) -> str:
    return "–" if math.isnan(value) else written(value, 2)
