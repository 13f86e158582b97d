"""Importance maps and scores: what is drawn is what went in."""

import numpy as np
import pandas as pd
import pytest

from dianet_lab import plots
from dianet_lab.errors import DataError


def gids(ax, gid: str) -> list:
    return [artist for artist in ax.get_children() if artist.get_gid() == gid]


@pytest.fixture
def pairs() -> pd.DataFrame:
    """Two stages of four blocks, numbered from 1, two seeds of which the means are known."""
    rows = [(n, s, t) for n in (0, 1) for t in (2, 3, 4) for s in range(1, t)]
    frame = pd.DataFrame(rows, columns=["stage", "source", "target"])
    frame["value"] = frame["stage"] + 0.1 * frame["source"] + 0.01 * frame["target"]
    return pd.concat([frame.assign(value=frame["value"] - 0.01), frame.assign(value=frame["value"] + 0.01)])


class TestImportanceMaps:
    def maps(self, figure):
        return [ax for ax in figure.axes if ax.images]

    def test_a_cell_is_the_mean_over_seeds_at_its_own_source_and_target(self, pairs):
        figure = plots.plot_importance_maps({"DIA": pairs}, label="importance")
        image = self.maps(figure)[1].images[0]
        assert image.get_extent() == [0.5, 3.5, 1.5, 4.5] and image.origin == "lower"
        drawn = np.ma.filled(image.get_array(), np.nan)
        np.testing.assert_allclose(drawn[2], [1.14, 1.24, 1.34])  # target 4
        np.testing.assert_allclose(drawn[0], [1.12, np.nan, np.nan])  # target 2 has one source

    def test_one_label_is_one_scale_and_a_label_for_each_is_a_scale_for_each(self, pairs):
        small = pairs.assign(value=pairs["value"] / 10)
        together = plots.plot_importance_maps({"a": pairs, "b": small}, label="importance")
        assert len({ax.images[0].get_clim() for ax in self.maps(together)}) == 1
        figure = plots.plot_importance_maps({"a": pairs, "b": small}, label={"a": "share", "b": "R² lost"})
        apart = self.maps(figure)
        assert [ax.get_xlabel() for ax in figure.axes if ax not in apart] == ["share", "R² lost"]
        first, second = (ax.images[0].get_clim() for ax in apart[:2])
        np.testing.assert_allclose([first, second], [(0, 1.34), (0, 0.134)])

    def test_the_top_of_the_scale_may_be_given(self, pairs):
        figure = plots.plot_importance_maps({"a": pairs}, label="importance", top=0.6)
        assert self.maps(figure)[0].images[0].get_clim() == (0, 0.6)

    def test_names_stand_above_and_stages_beside(self, pairs):
        axes = self.maps(plots.plot_importance_maps({"DIA, untrained": pairs, "SE": pairs}, label="x"))
        assert [ax.get_title() for ax in axes[:2]] == ["DIA,\nuntrained", "SE"]
        assert [ax.get_ylabel() for ax in axes[::2]] == ["stage 0\ntarget (block)", "stage 1\ntarget (block)"]

    def test_what_is_unknown_is_white_and_stops_nothing(self, pairs):
        figure = plots.plot_importance_maps({"SE": pairs.assign(value=np.nan), "DIA": pairs}, label="x")
        assert np.ma.filled(self.maps(figure)[0].images[0].get_array(), np.nan).shape == (3, 3)
        assert np.isfinite(self.maps(figure)[0].images[0].get_clim()).all()

    def test_a_stage_that_one_network_lacks_is_empty(self, pairs):
        plots.plot_importance_maps({"a": pairs, "b": pairs[pairs["stage"] == 0]}, label="x").canvas.draw()

    def test_of_nothing_is_refused(self, pairs):
        with pytest.raises(DataError, match="two blocks or more"):
            plots.plot_importance_maps({"a": pairs.iloc[:0]}, label="x")
        with pytest.raises(DataError, match="lacks value"):
            plots.plot_importance_maps({"a": pairs.drop(columns="value")}, label="x")


class TestScores:
    @pytest.fixture
    def layers(self):
        rows = [(arm, n, t, s) for arm in ("DIA", "SE per block") for n in (0, 1) for t in (1, 2) for s in (0, 1, 2)]
        frame = pd.DataFrame(rows, columns=["arm", "stage", "target", "seed"])
        frame["forest"] = frame["stage"] / 2 + frame["target"] / 10 + [0, 0.01, 0.3] * 8
        return frame

    def test_lines_are_the_medians_over_seeds_stage_by_stage(self, layers):
        ax = plots.plot_scores(layers, {"forest": "R²"}).axes[0]
        first, second = gids(ax, "DIA")
        np.testing.assert_allclose(first.get_ydata(), [0.11, 0.21])
        np.testing.assert_allclose(second.get_ydata(), [0.61, 0.71])
        assert list(first.get_xdata()) == [0, 1] and list(second.get_xdata()) == [3, 4]
        assert [line.get_xdata()[0] for line in gids(ax, "border")] == [2]
        assert [text.get_text() for text in ax.texts] == ["stage 0", "stage 1"]

    def test_far_below_zero_is_drawn_at_the_edge(self, layers):
        layers.loc[layers["target"] == 1, "forest"] = -5.0
        ax = plots.plot_scores(layers, {"forest": "R²"}).axes[0]
        assert gids(ax, "DIA")[0].get_ydata()[0] == ax.get_ylim()[0] == -0.3

    def test_a_panel_a_score_one_key_and_the_arms_that_are_asked_for(self, layers):
        figure = plots.plot_scores(layers.assign(ridge=0.5), {"forest": "F", "ridge": "R"}, arms=["SE per block"])
        assert [ax.get_ylabel() for ax in figure.axes] == ["F", "R"] and not gids(figure.axes[0], "DIA")
        assert [text.get_text() for text in figure.legends[0].get_texts()] == ["SE per block"]
