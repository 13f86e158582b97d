"""Means with intervals, row by row: what is drawn are the frame's numbers."""

import numpy as np
import pandas as pd
import pytest

from dianet_lab import plots
from dianet_lab.analysis.interval import t_interval
from dianet_lab.errors import DataError

ROWS = {"mdi": "M", "gain": "G"}


@pytest.fixture
def frame():
    rows = [("DIA", "mdi", 0, 0.0), ("DIA", "mdi", 1, 1.0), ("DIA", "gain", 0, 0.2), ("SE per block", "mdi", 0, -0.5)]
    return pd.DataFrame(rows, columns=["arm", "measure", "seed", "rho"])


def draw(frame, **options):
    return plots.plot_by_row(frame, {"rho": "ρ"}, **{"row": "measure"} | options)


def gids(ax, name):
    return [line for line in ax.lines if line.get_gid() == name]


def test_a_mark_is_the_mean_its_bar_the_t_interval_and_dots_are_seeds(frame):
    ax = draw(frame, rows=ROWS).axes[0]
    assert [mark.get_xdata()[0] for mark in gids(ax, "DIA")] == [0.5, 0.2]
    (interval,) = gids(ax, "interval DIA")
    np.testing.assert_allclose(interval.get_xdata(), t_interval([0, 1])[1:])
    assert list(gids(ax, "seeds DIA")[0].get_xdata()) == [0, 1]
    assert [text.get_text() for text in ax.get_yticklabels()] == ["M", "G"] and ax.get_xlabel() == "ρ"
    assert ax.get_xlim()[0] < interval.get_xdata()[0] and interval.get_xdata()[1] < ax.get_xlim()[1]


def test_there_is_room_for_a_seed_beyond_its_interval():
    far = pd.DataFrame({"arm": "DIA", "measure": "mdi", "seed": range(30), "rho": [0.0] * 29 + [1.0]})
    ax = draw(far).axes[0]
    assert gids(ax, "seeds DIA")[0].get_xdata().max() == 1.0 < ax.get_xlim()[1]


def test_a_seed_counts_once_however_many_rows_it_has(frame):
    again = pd.concat([frame, frame[frame["seed"] == 1].assign(rho=0.0)])
    assert gids(draw(again, rows=ROWS).axes[0], "DIA")[0].get_xdata()[0] == 0.25


def test_an_interval_that_goes_on_ends_in_arrowheads_or_where_nothing_can_be_lower(frame):
    ax = draw(frame, rows={"mdi": "M"}, limits=(-1, 1)).axes[0]
    assert sorted(mark.get_xdata()[0] for mark in gids(ax, "beyond")) == [-1, 1]
    share = draw(frame[frame["rho"] >= 0], rows={"mdi": "M"}, lowest=0).axes[0]
    assert gids(share, "interval DIA")[0].get_xdata()[0] == 0 and not gids(share, "beyond")


def test_marks_lie_in_lanes_of_a_row_or_have_a_row_each(frame):
    lanes = draw(frame, rows={"mdi": "M"}).axes[0]
    heights = [gids(lanes, arm)[0].get_ydata()[0] for arm in ("DIA", "SE per block")]
    assert heights[0] < heights[1] and all(-0.5 < height < 0.5 for height in heights)
    figure = draw(frame, row="arm")
    assert [gids(figure.axes[0], arm)[0].get_ydata()[0] for arm in ("DIA", "SE per block")] == [0, 1]
    assert not figure.legends


def test_each_panel_has_its_own_value_and_the_key_is_one(frame):
    figure = plots.plot_by_row(frame.assign(other=2.0), {"rho": "ρ", "other": "o"}, row="measure", marks=["DIA"])
    assert [gids(ax, "DIA")[0].get_xdata()[0] for ax in figure.axes] == [0.5, 2.0]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["DIA"]
    assert not gids(figure.axes[0], "SE per block")


def test_what_is_not_known_is_left_out(frame):
    figure = draw(frame.assign(rho=np.nan))
    assert not gids(figure.axes[0], "DIA") and np.isfinite(figure.axes[0].get_xlim()).all()
    figure.canvas.draw()


def test_a_frame_that_lacks_a_column_is_refused(frame):
    with pytest.raises(DataError, match="lacks seed"):
        draw(frame.drop(columns="seed"))
