"""``Report``: used inside a notebook, it shows figures, tables and conclusions and leaves them on disk."""

import html
import io
import os
import struct
import time
from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import PIL.Image
import PIL.ImageOps
from IPython.display import HTML, Image, Markdown, display
from matplotlib.backends.backend_agg import FigureCanvasAgg

from dianet_lab import paths, provenance
from dianet_lab.config import RunConfig
from dianet_lab.errors import ConfigError, LabError
from dianet_lab.reports.record import TOKEN_VARIABLE, Artifact, ReportRecord, report_folder, slug
from dianet_lab.reports.text import escape_markdown
from dianet_lab.reports.values import plain

DPI = 115
CSS_DPI = 96
MARGIN = 0.1  # around a figure, in inches, as matplotlib has it
SENTENCES = 3
FOLDED = 24  # the run ids of a large study would hide the rest


class Report:
    """A notebook's report in ``results/<profile>/<name>/``.

    ``report.json`` is removed at the start and written last, so it says that the notebook ran to its end.

    Args:
        badge: the scale in one phrase.
        demonstration: whether the page says in large letters that it is no evidence; as the profile says if not given.

    Raises:
        ConfigError: a name that is no slug.
    """

    def __init__(
        self, name: str, *, profile: str, title: str, question: str, badge: str, demonstration: bool | None = None
    ):
        self.folder = report_folder(profile, name)
        self._head = {"notebook": name, "profile": profile, "title": title, "question": question, "badge": badge}
        self._head["demonstration"] = demonstration
        self._figures: dict[str, Artifact] = {}
        self._tables: dict[str, Artifact] = {}
        self._key: str | None = None
        self._conclusion: dict[str, list[str]] = {}
        self._started, self._clock = provenance.now(), time.monotonic()
        (self.folder / "report.json").unlink(missing_ok=True)

    def figure(self, fig: Any, name: str, *, caption: str, key: bool = False) -> None:
        """Save ``figures/<name>.png``, close the figure and show it with its caption.

        Args:
            fig: a matplotlib figure, or anything that has one (axes, a seaborn grid).
            key: this is the one that the index shows; without any, the first is.

        Raises:
            ConfigError: a name that is no slug, or a second key figure.
        """
        slug("figure", name)
        if key and self._key not in (None, name):
            raise ConfigError(f"figure {name!r}: the key figure is already {self._key!r}; a report has one")
        self._key = name if key else self._key
        figure = fig.figure
        png = _png(figure)
        plt.close(figure)
        paths.write_atomically(self.folder / "figures" / f"{name}.png", png)
        self._figures[name] = Artifact(name=name, file=f"figures/{name}.png", caption=caption)
        (pixels,) = struct.unpack(">I", png[16:20])
        display(Image(data=png, format="png", width=round(pixels * CSS_DPI / DPI), alt=caption))
        display(Markdown(escape_markdown(caption)), metadata={"dianet_lab": "caption"})

    def table(
        self,
        frame: pd.DataFrame,
        name: str,
        *,
        caption: str,
        formats: Mapping[str, str] | None = None,
        index: bool = False,
    ) -> None:
        """Save ``tables/<name>.csv`` with all digits and show the frame as an HTML table.

        Args:
            formats: how a column is shown, for example ``{"accuracy": "{:.1f}"}``.

        Raises:
            ConfigError: a name that is no slug, or a format for a column that is not there.
        """
        slug("table", name)
        formats = dict(formats or {})
        if missing := [column for column in formats if column not in frame.columns]:
            raise ConfigError(f"table {name!r}: formats for {missing}, but it has {list(map(str, frame.columns))}")
        paths.write_atomically(self.folder / "tables" / f"{name}.csv", frame.to_csv(index=index))
        self._tables[name] = Artifact(name=name, file=f"tables/{name}.csv", caption=caption)
        formatters = {column: _formatter(spec) for column, spec in formats.items()}
        with pd.option_context("display.max_colwidth", None):  # or long texts end in dots
            table = frame.to_html(index=index, escape=True, border=0, na_rep="–", formatters=formatters)
        display(HTML(table.replace(">", f"><caption>{html.escape(caption)}</caption>", 1)))

    def conclude(self, in_short: list[str], what_we_see: str | list[str]) -> None:
        """Keep the three sentences that head the report, and show what was seen, one paragraph a string.

        Raises:
            ConfigError: not three sentences.
        """
        sentences = [] if isinstance(in_short, str) else [sentence for sentence in in_short if sentence.strip()]
        if len(sentences) != SENTENCES:
            raise ConfigError(f"in_short: expected a list of {SENTENCES} sentences, got {in_short!r}")
        seen = [what_we_see] if isinstance(what_we_see, str) else list(what_we_see)
        self._conclusion = {"in_short": sentences, "what_we_see": seen}
        display(Markdown("\n\n".join(map(escape_markdown, seen))))

    def finish(self, extra: Mapping[str, Any] | None = None, **rows: Any) -> None:
        """Show where the results come from and write ``report.json``.

        Args:
            extra, rows: further rows of the provenance, for example ``configuration`` (YAML text or a RunConfig),
                ``seeds`` and ``run_ids``.

        Raises:
            LabError: nothing was concluded.
            ConfigError: a row that is no plain value.
        """
        if not self._conclusion:
            raise LabError("report.finish() without a conclusion: call report.conclude([...], ...) first")
        seconds = round(time.monotonic() - self._clock, 1)
        origin = _provenance({"profile": self._head["profile"], **(extra or {}), **rows}, self._started, seconds)
        display(HTML(_provenance_table(origin)))
        record = ReportRecord(
            **self._head,
            **self._conclusion,
            key_figure=self._key or next(iter(self._figures), None),
            figures=list(self._figures.values()),
            tables=list(self._tables.values()),
            started=self._started,
            seconds=seconds,
            provenance=origin,
            token=os.environ.get(TOKEN_VARIABLE, ""),
        )
        self._remove_strangers()
        paths.write_atomically(self.folder / "report.json", record.model_dump_json(indent=2))

    def _remove_strangers(self) -> None:
        """Delete figures and tables that an earlier version of the notebook left behind."""
        own = {self.folder / artifact.file for artifact in (*self._figures.values(), *self._tables.values())}
        for path in (*self.folder.glob("figures/*.png"), *self.folder.glob("tables/*.csv")):
            if path not in own:
                path.unlink()


def _png(figure: Any) -> bytes:
    """The figure as a PNG of at most 256 colours: a page holds every figure, and this is a third of the bytes."""
    small = io.BytesIO()
    # This method keeps the colours of small marks, by which arms are known; the default merges them into greys.
    kept = {"method": PIL.Image.Quantize.MAXCOVERAGE, "kmeans": 2, "dither": PIL.Image.Dither.NONE}
    picture = _drawn(figure).quantize(256, **kept)
    picture.save(small, format="png", optimize=True)  # without matplotlib's version: equal figures are equal files
    return small.getvalue()


def _drawn(figure: Any) -> PIL.Image.Image:
    """What ``savefig(bbox_inches="tight")`` gives, drawn once and not three times: drawing is most of a short report.

    A figure of which something lies outside its canvas is left to matplotlib, which knows how to move it in.
    """
    figure.set_dpi(DPI)
    figure.set_facecolor("white")
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    box, (width, height) = figure.get_tightbbox(canvas.get_renderer()), figure.get_size_inches()
    if min(box.x0, box.y0, width - box.x1, height - box.y1) < 0:
        figure.set_layout_engine("none")  # it is laid out: saving would do it again
        drawn = io.BytesIO()
        figure.savefig(drawn, format="png", dpi=DPI, bbox_inches="tight", facecolor="white")
        return PIL.Image.open(drawn).convert("RGB")
    picture = PIL.Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    left, upper, right, lower = (round(DPI * end) for end in (box.x0, height - box.y1, box.x1, height - box.y0))
    return PIL.ImageOps.expand(picture.crop((left, upper, right, lower)), round(DPI * MARGIN), "white")


def _formatter(spec: str) -> Any:
    return lambda value: "–" if pd.isna(value) else spec.format(value)


def _provenance(rows: dict[str, Any], started: str, seconds: float) -> dict[str, Any]:
    texts = {name: _text(value, name) for name, value in rows.items()}
    return {
        **texts,
        "versions": provenance.versions(),
        "commit": provenance.commit(),
        "machine": provenance.machine(),
        "started": started,
        "seconds": seconds,
    }


def _text(value: Any, name: str) -> Any:
    return value.without_paths().to_yaml() if isinstance(value, RunConfig) else plain(value, name)


def _provenance_table(origin: dict[str, Any]) -> str:
    rows = "".join(f"<tr><th>{html.escape(name)}</th><td>{_cell(value)}</td></tr>" for name, value in origin.items())
    return f"<table><caption>Where this comes from</caption><tbody>{rows}</tbody></table>"


def _cell(value: Any) -> str:
    if isinstance(value, dict):
        return "<br>".join(f"{html.escape(str(key))}: {html.escape(str(item))}" for key, item in value.items())
    if isinstance(value, list):
        text = html.escape(", ".join(map(str, value)))
        return text if len(value) <= FOLDED else f"<details><summary>{len(value)} values</summary>{text}</details>"
    if isinstance(value, str) and "\n" in value:
        return f"<pre>{html.escape(value)}</pre>"
    return html.escape(str(value))
