"""What methods detect of what was planted, by how much of it there is."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from dianet_lab.plots.style import ArmStyle, legend_above, own_axes, require

STYLES = (
    ArmStyle("#0072b2", "o"),
    ArmStyle("#d55e00", "s"),
    ArmStyle("#009e73", "^"),
    ArmStyle("#7b3f8c", "D"),
    ArmStyle("#8c5a00", "v"),
)


def plot_detections(rates: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Detections (%) against the share of channels that take part, from many to few; a line a method.

    Args:
        rates: tidy: method, share (0 to 1) and rate (0 to 100).
    """
    require(rates, ["method", "share", "rate"])
    ax = own_axes(ax, 8.5, 3.4)
    handles, names = [], list(dict.fromkeys(rates["method"]))
    for place, name in enumerate(names):
        part = rates[rates["method"] == name].sort_values("share")
        style = STYLES[place % len(STYLES)]
        look = {"color": style.color, "marker": style.marker, "markeredgecolor": "white", "markersize": 7}
        shift = 1 + 0.03 * (place - (len(names) - 1) / 2)  # lines that lie on each other would hide each other
        ax.plot(100 * part["share"] * shift, part["rate"], gid=name, **look)
        handles.append(Line2D([], [], label=name, **look))
    shares = sorted(rates["share"].unique())
    ax.set_xscale("log", base=2)
    ax.set_xticks([100 * share for share in shares], [f"{100 * share:g}" for share in shares])
    ax.minorticks_off()
    ax.set(ylim=(-4, 104), xlabel="channels that take part (%)", ylabel="detected (% of what is there)")
    legend_above(ax, handles)
    return ax
