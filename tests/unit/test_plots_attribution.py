"""Plots of attributions: what is drawn is what the frames hold."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from dianet_lab import plots
from dianet_lab.analysis.interval import t_interval
from dianet_lab.errors import DataError

PLACES = [(0, 0), (0, 1), (1, 0), (1, 1), (1, 2)]


def by_gid(ax, gid: str) -> list:
    return [artist for artist in ax.get_children() if artist.get_gid() == gid]


def labels(ticks) -> list[str]:
    return [label.get_text() for label in ticks]


@pytest.fixture
def means() -> pd.DataFrame:
    values = np.arange(15.0).reshape(3, 5) - 9
    return pd.DataFrame(values, index=list("abc"), columns=pd.MultiIndex.from_tuples(PLACES, names=["stage", "block"]))


@pytest.fixture
def sizes() -> pd.DataFrame:
    rows = [
        {"name": name, "seed": seed, "stage": stage, "block": block, "size": scale * (1 + seed + 2 * stage + block)}
        for name, scale in (("DIA", 1.0), ("untrained", 0.001))
        for seed in range(3)
        for stage, block in PLACES
    ]
    return pd.DataFrame(rows)


@pytest.fixture
def layers() -> pd.DataFrame:
    values = np.random.default_rng(0).normal(size=20)
    return pd.DataFrame({"name": ["DIA", "untrained"] * 10, "attribution": values, "ablation": values * 1.1})


@pytest.fixture
def stages() -> pd.DataFrame:
    rows = [
        {"name": name, "seed": seed, "stage": stage, "ablation": at * (stage + 1) + 0.1 * seed}
        for name, at in (("DIA", 1.0), ("untrained", 0.0))
        for seed in range(3)
        for stage in range(2)
    ]
    return pd.DataFrame(rows)


@pytest.fixture
def images() -> pd.DataFrame:
    values = {"explained": [1.0, -10.0, 0.0, 100.0], "delta": [0.01, -1.0, 0.0, 0.1]}
    return pd.DataFrame({"name": ["DIA", "DIA", "DIA", "untrained"], **values})


def test_the_map_has_a_column_a_layer_and_a_gap_between_stages(means):
    ax = plots.plot_class_layers(means, title="DIA")
    drawn = np.ma.filled(ax.images[0].get_array(), np.nan)
    np.testing.assert_array_equal(drawn[:, [0, 1, 3, 4, 5]], means)
    assert np.isnan(drawn[:, 2]).all()
    assert labels(ax.get_xticklabels()) == ["0", "1", "0", "1", "2"] and labels(ax.get_yticklabels()) == list("abc")
    assert [text.get_text() for text in by_gid(ax, "stage")] == ["stage 0", "stage 1"]
    assert ax.images[0].get_clim() == (-9, 9)
    assert ax.get_title() + ax.get_title(loc="left") == "DIA: largest ±9 logits"


def test_a_map_may_have_the_scale_of_another_and_an_empty_one_has_one(means):
    assert plots.plot_class_layers(0 * means).images[0].get_clim() == (-1, 1)
    for limit, extend in ((5, "both"), (9, "neither"), (20, "neither")):
        image = plots.plot_class_layers(means, limit=limit).images[0]
        assert image.get_clim() == (-limit, limit) and image.colorbar.extend == extend


def test_a_class_without_an_image_is_an_empty_row(means):
    ax = plots.plot_class_layers(means.reindex(list("abcd")))
    assert np.ma.getmaskarray(ax.images[0].get_array())[3].all() or np.isnan(ax.images[0].get_array()[3]).all()


def test_a_hundred_classes_are_named_in_part(means):
    many = means.iloc[[0]].loc[["a"] * 100]
    ax = plots.plot_class_layers(many)
    assert len(ax.get_yticks()) == 25 and ax.get_ylabel() == "class (every 4th named)"


def test_another_table_is_no_map():
    with pytest.raises(DataError, match="stage, block"):
        plots.plot_class_layers(pd.DataFrame({"x": [1.0]}))


def test_bars_are_means_over_seeds_with_their_intervals_and_every_network(sizes):
    ax = plots.plot_attribution_by_layer(sizes, name="DIA")
    expected = np.array([t_interval([1 + seed + 2 * s + b for seed in range(3)]) for s, b in PLACES])
    np.testing.assert_allclose([bar.get_height() for bar in ax.patches], expected[:, 0])
    np.testing.assert_allclose([bar.get_x() + bar.get_width() / 2 for bar in ax.patches], [0, 1, 3, 4, 5])
    segments = by_gid(ax, "interval")[0].get_segments()
    np.testing.assert_allclose([segment[:, 1] for segment in segments], expected[:, 1:])
    assert len(by_gid(ax, "network")) == 3
    total = expected[:, 0].sum()
    assert ax.get_title() + ax.get_title(loc="left") == f"DIA: all layers together {total:.3f} logits"


def test_one_network_has_bars_without_an_interval(sizes):
    ax = plots.plot_attribution_by_layer(sizes[sizes["seed"] == 1], name="DIA")
    assert len(by_gid(ax, "interval")[0].get_segments()) == 0
    assert len(ax.patches) == 5


def test_ablation_stands_against_attribution_on_equal_axes(layers):
    ax = plots.plot_against_ablation(layers, name="DIA", agreement=0.914)
    points = by_gid(ax, "layers")[0]
    own = layers[layers["name"] == "DIA"]
    np.testing.assert_array_equal(points.get_xdata(), own["ablation"])
    np.testing.assert_array_equal(points.get_ydata(), own["attribution"])
    assert ax.get_xlim() == ax.get_ylim() and ax.get_xlim()[0] == -ax.get_xlim()[1]
    assert "0.914" in ax.get_title() + ax.get_title(loc="left")
    nothing = plots.plot_against_ablation(
        0 * layers[["attribution", "ablation"]].assign(name=""), name="", agreement=np.nan
    )
    assert "nothing to rank" in nothing.get_title() + nothing.get_title(loc="left")


def test_stages_have_a_mark_a_name_with_its_interval(stages):
    ax = plots.plot_stage_effects(stages)
    means = [line.get_ydata()[0] for line in by_gid(ax, "mean")]
    np.testing.assert_allclose(means, [1.1, 2.1, 0.1, 0.1])
    ends = [collection.get_segments()[0][:, 1] for collection in by_gid(ax, "interval")]
    np.testing.assert_allclose(ends[0], t_interval([1.0, 1.1, 1.2])[1:])
    assert labels(ax.get_legend().get_texts()) == ["DIA", "untrained"]
    assert labels(ax.get_xticklabels()) == ["stage 0", "stage 1"]


def test_convergence_has_a_mark_an_image_without_sign_and_the_line_of_what_is_large(images):
    ax = plots.plot_convergence(images, large=0.05)
    (own,) = by_gid(ax, "DIA")
    np.testing.assert_allclose(own.get_xydata(), [[1, 0.01], [10, 1]])  # a log scale has no zero
    line = by_gid(ax, "large")[0]
    np.testing.assert_allclose(line.get_ydata() / line.get_xdata(), 0.05)
    assert labels(ax.get_legend().get_texts()) == ["DIA", "untrained", "5 % of the difference"]


def test_nothing_but_zeros_can_be_drawn(images):
    plots.plot_convergence(images.assign(explained=0.0, delta=0.0), large=0.05).figure.draw_without_rendering()


def test_axes_name_their_units(means, sizes, layers, stages, images):
    where = "layer in forward order (block index within its stage)"
    drawn = {
        plots.plot_class_layers(means): (where, "class"),
        plots.plot_attribution_by_layer(sizes, name="DIA"): (where, "mean |attribution|\n(logits)"),
        plots.plot_against_ablation(layers, name="DIA", agreement=1.0): (
            "lost by ablation (logits)",
            "integrated gradients (logits)",
        ),
        plots.plot_stage_effects(stages): (
            "whose gates are put at the baseline",
            "lost by the own class (logits,\nmean over images)",
        ),
        plots.plot_convergence(images, large=0.05): (
            "|explained difference| (logits)",
            "|convergence delta| (logits)",
        ),
    }
    for ax, expected in drawn.items():
        assert (ax.get_xlabel(), ax.get_ylabel()) == expected


def test_plots_draw_where_they_are_told_and_refuse_what_they_lack(means, sizes, layers, stages, images):
    _, ax = plt.subplots()
    assert plots.plot_class_layers(means, ax=ax) is ax
    assert plots.plot_attribution_by_layer(sizes, ax=ax, name="DIA") is ax
    assert plots.plot_against_ablation(layers, ax=ax, name="DIA", agreement=1.0) is ax
    assert plots.plot_stage_effects(stages, ax=ax) is ax
    assert plots.plot_convergence(images, ax=ax, large=0.05) is ax
    with pytest.raises(DataError, match="no rows of 'SE shared': the frame has DIA, untrained"):
        plots.plot_attribution_by_layer(sizes, name="SE shared")
    with pytest.raises(DataError, match="lacks delta"):
        plots.plot_convergence(images.drop(columns="delta"), large=0.05)
