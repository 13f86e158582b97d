"""Plots of how alike layers are show the numbers that went in."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from dianet_lab import plots
from dianet_lab.analysis.interval import t_interval
from dianet_lab.errors import DataError
from dianet_lab.plots.style import arm_style


def by_gid(ax, gid: str) -> list:
    return [artist for artist in ax.get_children() if artist.get_gid() == gid]


class TestMatrices:
    matrices = {"DIA": [np.eye(3), np.full((3, 3), 0.5)], "untrained": [np.zeros((3, 3)), np.full((3, 3), np.nan)]}

    def test_stand_in_a_row_a_stage_and_a_column_a_network_on_one_scale(self):
        figure = plots.plot_similarity(self.matrices, measure="Pearson (−1 to 1)")
        *panels, bar = figure.axes
        assert [ax.get_title(loc="left") or ax.get_title() for ax in panels] == ["DIA", "untrained", "", ""]
        np.testing.assert_array_equal(panels[2].images[0].get_array(), 0.5)
        assert {ax.images[0].get_clim() for ax in panels} == {(-1, 1)}
        assert bar.get_ylabel() == "Pearson (−1 to 1)"
        assert [ax.get_ylabel() for ax in panels] == ["stage 0\nblock (index)", "", "stage 1\nblock (index)", ""]
        assert [ax.get_xlabel() for ax in panels] == ["", "", "block (index)", "block (index)"]

    def test_show_what_is_not_defined_as_missing(self):
        figure = plots.plot_similarity(self.matrices, measure="CKA")
        assert np.ma.getmaskarray(figure.axes[3].images[0].get_array()).all()

    def test_may_have_rows_that_are_no_stages(self):
        figure = plots.plot_similarity(self.matrices, measure="cosine", rows=["raw", "centred"])
        assert figure.axes[0].get_ylabel() == "raw\nblock (index)"

    def test_refuse_what_is_not_square_or_not_alike(self):
        with pytest.raises(DataError, match="square"):
            plots.plot_similarity({"DIA": [np.ones((2, 3))]}, measure="")
        with pytest.raises(DataError, match="different numbers of stages"):
            plots.plot_similarity({"DIA": [np.eye(2)], "SE shared": [np.eye(2)] * 2}, measure="")

    def test_of_a_deep_stage_have_ticks_that_do_not_overlap(self):
        figure = plots.plot_similarity({str(n): [np.eye(18)] * 3 for n in range(5)}, measure="")
        figure.draw_without_rendering()
        boxes = [label.get_window_extent() for label in figure.axes[0].get_xticklabels()]
        assert not any(a.overlaps(b) for a, b in zip(boxes, boxes[1:], strict=False))


@pytest.fixture
def distances() -> pd.DataFrame:
    rows = [
        {"arm": arm, "images": images, "seed": seed, "distance": distance}
        | {"cka": np.nan if arm == "static per block" else (images == "together") / distance + 0.1 * seed}
        for arm in ("DIA", "SE per block", "static per block")
        for images in ("together", "pairs shuffled")
        for seed in range(3)
        for distance in (1, 2, 3)
    ]
    return pd.DataFrame(rows)


class TestByDistance:
    def test_a_curve_is_the_mean_over_seeds_and_its_band_the_t_interval(self, distances):
        ax = plots.plot_similarity_by_distance(distances, "cka")
        (curve,) = by_gid(ax, "DIA")
        np.testing.assert_allclose(curve.get_xydata(), [[1, 1.1], [2, 0.6], [3, 1 / 3 + 0.1]])
        assert curve.get_color() == arm_style("DIA").color
        (band,) = by_gid(ax, "DIA interval")
        _, low, high = t_interval([1.0, 1.1, 1.2])
        at_1 = band.get_paths()[0].vertices
        assert at_1[at_1[:, 0] == 1][:, 1].min() == pytest.approx(low)
        assert at_1[at_1[:, 0] == 1][:, 1].max() == pytest.approx(high)

    def test_chance_is_dashed_and_an_arm_without_a_value_left_out(self, distances):
        ax = plots.plot_similarity_by_distance(distances, "cka")
        (chance,) = by_gid(ax, "DIA shuffled")
        np.testing.assert_allclose(chance.get_ydata(), 0.1)
        assert chance.is_dashed() and not by_gid(ax, "DIA")[0].is_dashed()
        assert not by_gid(ax, "static per block") and by_gid(ax, "SE per block")

    def test_one_network_has_a_curve_without_a_band(self, distances):
        ax = plots.plot_similarity_by_distance(distances[distances["seed"] == 0], "cka", arms=["DIA"])
        assert by_gid(ax, "DIA")[0].get_ydata()[0] == 1 and not by_gid(ax, "SE per block")

    def test_draws_where_it_is_told_and_names_its_axis(self, distances):
        _, ax = plt.subplots()
        assert plots.plot_similarity_by_distance(distances, "cka", ax=ax) is ax
        assert ax.get_xlabel() == "distance (layers)" and len(plt.get_fignums()) == 1


def test_the_key_names_the_arms_that_are_drawn_in_their_colours_and_the_dashes(distances):
    figure, ax = plt.subplots(layout="constrained")
    plots.plot_similarity_by_distance(distances.replace({"SE per block": "DIA, untrained"}), "cka", ax=ax)
    plots.add_arms_key(figure, ["DIA", "DIA, untrained", "static per block"])
    (key,) = figure.legends
    assert [text.get_text() for text in key.get_texts()] == ["DIA", "DIA, untrained", "pairs shuffled (chance)"]
    assert key.legend_handles[0].get_color() == arm_style("DIA").color
    assert key.legend_handles[1].get_color() == arm_style("untrained").color


class TestNeighbours:
    @pytest.fixture
    def frame(self):
        rows = [
            {"arm": "DIA", "images": images, "stage": stage, "second": block}
            | {"js": 0.0 if block == 2 else scale * (1 + stage), "kl": np.nan}
            for images, scale in (("together", 0.1), ("pairs shuffled", 0.2))
            for stage in (0, 1)
            for block in (1, 2, 3)
        ]
        return pd.DataFrame(rows)

    def test_stand_in_forward_order_on_a_logarithmic_axis(self, frame):
        ax = plots.plot_neighbours(frame, "js")
        first, second = by_gid(ax, "DIA")
        np.testing.assert_allclose(first.get_xydata()[[0, 2]], [[0, 0.1], [2, 0.1]])
        np.testing.assert_allclose(second.get_xydata()[[0, 2]], [[4, 0.2], [6, 0.2]])
        assert np.isnan(first.get_ydata()[1]), "equal layers have no logarithm"
        assert ax.get_yscale() == "log" and len(by_gid(ax, "DIA shuffled")) == 2
        assert [label.get_text() for label in ax.get_xticklabels()] == ["1", "2", "3"] * 2
        assert [text.get_text() for text in ax.texts] == ["stage 0", "stage 1"]

    def test_say_where_there_is_no_distribution(self, frame):
        ax = plots.plot_neighbours(frame, "kl")
        assert [text.get_text() for text in by_gid(ax, "none")] == ["not defined: gates below 0"]


def test_effects_are_drawn_where_they_are(close_figures):
    table = pd.DataFrame(
        {"contrast": ["a - b", "a - c"], "estimate": [0.2, -0.1], "low": [0.1, np.nan], "high": [0.3, np.nan]}
    )
    ax = plots.plot_similarity_effects(table)
    np.testing.assert_allclose(by_gid(ax, "estimate")[0].get_xydata(), [[0.2, 0], [-0.1, 1]])
    np.testing.assert_allclose(by_gid(ax, "interval")[0].get_segments()[0], [[0.1, 0], [0.3, 0]])
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a - b", "a - c"]
    assert ax.get_ylim()[0] > ax.get_ylim()[1], "the first contrast stands at the top"
