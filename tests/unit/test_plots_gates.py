"""Plots of gates: maps, distributions and variation are those of the arrays that went in."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from dianet_lab import plots
from dianet_lab.errors import DataError

IMAGES, BLOCKS, CHANNELS = 12, 3, (4, 6, 8)


@pytest.fixture
def gates() -> list[xr.DataArray]:
    rng = np.random.default_rng(0)
    coords = {"label": ("image", [f"class {i % 3}" for i in range(IMAGES)])}
    return [
        xr.DataArray(
            rng.uniform(0.1, 0.6, (IMAGES, BLOCKS, channels)), dims=("image", "block", "channel"), coords=coords
        )
        for channels in CHANNELS
    ]


def by_gid(ax, gid: str) -> list:
    return [artist for artist in ax.get_children() if artist.get_gid() == gid]


def test_gate_map_shows_the_means_on_one_scale(gates):
    axes = plots.plot_gate_map(gates, start=0.25)
    images = [ax.images[0] for ax in axes]
    for image, stage in zip(images, gates, strict=True):
        np.testing.assert_allclose(image.get_array(), stage.values.mean(0))
    assert len({image.get_clim() for image in images}) == 1
    bars = [ax for ax in axes[0].figure.axes if ax not in axes]
    assert [bar.get_ylabel() for bar in bars] == ["gate (mean over images)"]
    assert plots.plot_gate_map(gates, label="gate")[0].figure.axes[-1].get_ylabel() == "gate"
    assert by_gid(bars[0], "start")[0].get_ydata()[0] == 0.25
    assert [text.get_text() for text in by_gid(bars[0], "start name")] == ["before training:\nabout 0.25"]


def test_gate_map_takes_arrays_axes_figures_and_limits(gates):
    arrays = [stage.values for stage in gates]
    _, given = plt.subplots(1, 3)
    assert plots.plot_gate_map(arrays, axes=given) == list(given)
    figure = plt.figure()
    axes = plots.plot_gate_map(arrays, fig=figure, limits=(0, 1))
    assert axes[0].figure is figure
    assert axes[0].images[0].get_clim() == (0, 1)


def test_the_start_is_inside_the_scale_of_an_untrained_map():
    axes = plots.plot_gate_map([np.full((2, 3, 4), 0.3)], start=0.25)
    assert axes[0].images[0].get_clim() == (0.25, 0.3)


def test_labelled_gates_may_come_in_any_order(gates):
    turned = [stage.transpose("channel", "image", "block") for stage in gates]
    np.testing.assert_allclose(plots.plot_gate_map(turned)[1].images[0].get_array(), gates[1].values.mean(0))


def test_gates_of_another_shape_are_refused(gates):
    with pytest.raises(DataError, match="stage 1 have shape"):
        plots.plot_gate_map([gates[0].values, gates[1].values[0]])


def test_distribution_has_a_bar_a_layer_and_the_start(gates):
    ax = plots.plot_gate_distribution(gates, start=0.25)
    medians = [line.get_ydata()[0] for line in by_gid(ax, "median")]
    expected = [np.median(stage.values[:, block]) for stage in gates for block in range(BLOCKS)]
    np.testing.assert_allclose(medians, expected)
    outer, inner = (collection.get_segments()[0] for collection in ax.collections[:2])
    np.testing.assert_allclose(outer[:, 1], np.quantile(gates[0].values[:, 0], [0.05, 0.95]))
    np.testing.assert_allclose(inner[:, 1], np.quantile(gates[0].values[:, 0], [0.25, 0.75]))
    assert by_gid(ax, "start")[0].get_ydata()[0] == 0.25
    assert [text.get_text() for text in ax.texts] == ["stage 0", "stage 1", "stage 2"]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["0", "1", "2"] * 3


def test_the_key_of_a_distribution_has_its_median_as_it_is_drawn_and_says_what_the_line_is(gates):
    ax = plots.plot_gate_distribution(gates, start=0.25)
    legend = ax.get_legend()
    names = [text.get_text() for text in legend.get_texts()]
    assert names == ["5 to 95 % of gates", "25 to 75 %", "median", "start, before training (about)"]
    drawn, key = by_gid(ax, "median")[0], legend.legend_handles[2]
    for look in ("get_marker", "get_markerfacecolor", "get_markeredgecolor"):
        assert getattr(key, look)() == getattr(drawn, look)()
    assert drawn.get_markerfacecolor() != drawn.get_markeredgecolor(), "seen on pale bars and on dark ones"


def test_variation_is_the_spread_over_images_averaged_over_channels(gates):
    still = [np.full_like(stage.values, 0.25) for stage in gates]
    ax = plots.plot_gate_variation({"shared": gates, "untrained": still})
    drawn = [line.get_ydata() for line in by_gid(ax, "shared")]
    np.testing.assert_allclose(drawn, [stage.values.std(0).mean(1) for stage in gates])
    np.testing.assert_allclose([line.get_ydata() for line in by_gid(ax, "untrained")], 0)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["shared", "untrained"]


@pytest.mark.parametrize("shape", [(8, 8), (8, 8, 3), (1, 8, 8), (3, 8, 8)])
def test_image_walk_shows_the_image_and_its_own_gates(gates, shape):
    axes = plots.plot_image_walk(np.random.default_rng(0).random(shape), gates, 4)
    assert len(axes) == 4
    assert axes[0].images[0].get_array().shape[:2] == (8, 8)
    assert axes[0].get_title(loc="left") + axes[0].get_title() == "label 'class 1'"
    np.testing.assert_allclose(axes[2].images[0].get_array(), gates[1].values[4])


@pytest.fixture
def ranges() -> pd.DataFrame:
    rows = [
        {"arm": arm, "when": when, "q05": 0.1 * k, "q25": 0.2 * k, "q50": 0.3 * k, "q75": 0.4 * k, "q95": 0.5 * k}
        for arm in ("DIA", "tanh")
        for when, k in (("start", 1), ("end", 2))
    ]
    return pd.DataFrame(rows)


def test_activation_ranges_stand_side_by_side(ranges):
    ax = plots.plot_activation_ranges(ranges)
    medians = {round(line.get_xdata()[0], 2): line.get_ydata()[0] for line in by_gid(ax, "median")}
    assert medians == pytest.approx({-0.16: 0.3, 0.16: 0.6, 0.84: 0.3, 1.16: 0.6})
    assert [label.get_text() for label in ax.get_xticklabels()] == ["DIA", "tanh"]


def test_axes_name_their_units(gates, ranges):
    drawn = {
        plots.plot_gate_map(gates)[0]: ("channel (index)", "block (index)"),
        plots.plot_gate_distribution(gates): (
            "layer in forward order (block index within its stage)",
            "gate (dimensionless)",
        ),
        plots.plot_gate_variation({"shared": gates}): (
            "layer in forward order (block index within its stage)",
            "gate: standard deviation over images\n(mean over channels, dimensionless)",
        ),
        plots.plot_image_walk(np.ones((8, 8)), gates, 0)[1]: ("channel (index)", "block (index)"),
        plots.plot_activation_ranges(ranges): ("arm", "gate (dimensionless)"),
    }
    for ax, expected in drawn.items():
        assert (ax.get_xlabel(), ax.get_ylabel()) == expected


def test_plots_draw_where_they_are_told(gates, ranges):
    _, ax = plt.subplots()
    assert plots.plot_gate_distribution(gates, ax=ax) is ax
    assert plots.plot_gate_variation({"shared": gates}, ax=ax) is ax
    assert plots.plot_activation_ranges(ranges, ax=ax) is ax
    assert plt.get_fignums() == [ax.figure.number]
