"""The controls in JupyterLab: a thin layer that turns a moved control into a state, and shows its picture."""

import html
import io
import os
from dataclasses import replace
from types import ModuleType
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from dianet_lab.errors import LabError
from dianet_lab.explore.explorer import Explorer
from dianet_lab.explore.picture import SIZE, picture
from dianet_lab.explore.state import KINDS, VIEWS, State
from dianet_lab.reports.record import TOKEN_VARIABLE

DPI = 90
OPEN_IT = "Open this notebook in JupyterLab, run it, and the controls appear here; a report shows the first state only."


def show(state: State, runs: Explorer) -> None:
    """Display the controls at a state, with its picture; in the batch of reports, say where they are to be had.

    Raises:
        LabError: ipywidgets is not installed.
    """
    if os.environ.get(TOKEN_VARIABLE):
        print(OPEN_IT)
        return
    from IPython.display import display

    display(Controls(state, runs).box)


def _ipywidgets() -> ModuleType:
    try:
        import ipywidgets
    except ImportError:
        raise LabError(
            "the explorer's controls need ipywidgets, which is not installed: pip install 'dianet-lab[explore]', then "
            "restart JupyterLab"
        ) from None
    return ipywidgets


class Controls:
    """One widget for each field of a state, the picture of that state, and a line for what went wrong.

    ``box`` is what is displayed, ``picture`` the image, ``fields`` the widgets by the name of their field, ``message``
    a sentence where a run can't be opened; the picture then stays as it was.

    Args:
        state: the first one; what it leaves open is filled in.
        runs: what can be chosen.
    """

    def __init__(self, state: State, runs: Explorer):
        widgets = _ipywidgets()
        self.runs, self.state, self._settling = runs, runs.complete(state), False
        wide, slider = {"layout": {"width": "98%"}}, {"min": 0, "continuous_update": False}
        self.fields: dict[str, Any] = {
            "run": widgets.Dropdown(options=self._titles(), description="run", **wide),
            "view": widgets.Dropdown(options=VIEWS, description="shown"),
            "image": widgets.IntSlider(description="image", **slider),
            "stage": widgets.IntSlider(description="stage", **slider),
            "block": widgets.IntSlider(description="block", **slider),
            "kind": widgets.Dropdown(options={f"{name}: {what}": name for name, what in KINDS.items()}, **wide),
            "amount": widgets.FloatSlider(description="how far", max=1, step=0.05, **slider),
            "other": widgets.IntSlider(description="other image", **slider),
        }
        self.fields["kind"].description = "change"
        self.picture = widgets.Image(format="png", layout={"width": f"{SIZE[0] * DPI}px", "max_width": "100%"})
        self.message = widgets.HTML()
        rows = [("run",), ("view", "image"), ("stage", "block"), ("kind",), ("amount", "other")]
        lines = [widgets.HBox([self.fields[name] for name in row]) for row in rows]
        self.box = widgets.VBox([*lines, self.message, self.picture])
        for field in self.fields.values():
            field.observe(self._moved, names="value")
        self._show(self.state)

    def _titles(self) -> dict[str, str]:
        """What the list of runs offers; the first one also where it is not among those that are found."""
        known = self.runs.titles
        return known if self.state.run in known.values() else {self.state.run: self.state.run} | known

    def _moved(self, change: dict[str, Any]) -> None:
        if self._settling:  # a slider that is moved by us, as it has a new end
            return
        chosen = {name: field.value for name, field in self.fields.items()}
        try:
            self._show(replace(self.state, **chosen))
        except LabError as error:
            self._say(str(error))
            self._settle(self.state)

    def _show(self, state: State) -> None:
        """Draw a state, moved to the nearest place that its run has, and set the controls to it."""
        state = self.runs.complete(state)
        self.picture.value = png(picture(state, self.runs))
        self._say("")
        self.state = state
        self._settle(state)

    def _say(self, text: str) -> None:
        self.message.value, self.message.layout.display = html.escape(text), "" if text else "none"

    def _settle(self, state: State) -> None:
        """Set every control to a complete state, with the ends that its network has."""
        inside = self.runs.inside(state.run, state.view)
        last = len(inside.images) - 1
        blocks = inside.blocks(state.stage)
        ends = {
            "image": (0, last),
            "other": (0, last),
            "stage": (0, inside.stages - 1),
            "block": (blocks[0], blocks[-1]),
        }
        self._settling = True
        try:
            for name, field in self.fields.items():
                if name in ends:
                    _set_range(field, *ends[name])
                field.value = getattr(state, name)
        finally:
            self._settling = False


def png(figure: Figure) -> bytes:
    """The figure drawn once; ``savefig`` would lay it out twice, and a moved control waits for it."""
    drawn = io.BytesIO()
    figure.dpi = DPI
    figure.set_facecolor("white")
    FigureCanvasAgg(figure).print_png(drawn)
    return drawn.getvalue()


def _set_range(slider: Any, low: int, high: int) -> None:
    """New ends of a slider, in an order in which the lower one never passes the upper one."""
    slider.min, slider.max = min(low, slider.min), max(high, slider.max)
    slider.min, slider.max = low, high
