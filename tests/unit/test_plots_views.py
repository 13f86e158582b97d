"""Networks below each other: every map is of the array that went in, all on one scale, named once."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from dianet_lab import plots
from dianet_lab.errors import DataError

IMAGES, BLOCKS, CHANNELS = 12, 3, (4, 6, 8)
NAMES = ("DIA", "untrained", "pixels shuffled")


@pytest.fixture
def views() -> dict[str, list[np.ndarray]]:
    rng = np.random.default_rng(0)
    return {
        name: [rng.uniform(0.1 * k, 0.2 + 0.1 * k, (IMAGES, BLOCKS, channels)) for channels in CHANNELS]
        for k, name in enumerate(NAMES)
    }


def panels(figure) -> list:
    """The maps, without the colour bar, row by row."""
    return [ax for ax in figure.axes if ax.images]


def drawn(figure) -> list[np.ndarray]:
    return [np.asarray(ax.images[0].get_array()) for ax in panels(figure)]


class TestGateMaps:
    @pytest.mark.parametrize("of, measure", [("mean", np.mean), ("sd", np.std)])
    def test_show_the_measure_of_every_network_and_stage_on_one_scale(self, views, of, measure):
        figure = plots.plot_gate_maps(views, of=of)
        expected = [measure(stage, axis=0) for stages in views.values() for stage in stages]
        for found, wanted in zip(drawn(figure), expected, strict=True):
            np.testing.assert_allclose(found, wanted)
        (limits,) = {ax.images[0].get_clim() for ax in panels(figure)}
        assert limits[1] == pytest.approx(max(map(np.max, expected)))

    def test_of_deviations_begin_at_0_where_a_gate_is_a_constant(self, views):
        figure = plots.plot_gate_maps(views, of="sd")
        assert panels(figure)[0].images[0].get_clim()[0] == 0
        assert figure.axes[-1].get_ylabel() == "gate: standard deviation over images"

    def test_name_networks_at_the_left_and_stages_above_once(self, views):
        axes = panels(plots.plot_gate_maps(views))
        assert [ax.get_ylabel() for ax in axes[::3]] == [f"{name}\nblock (index)" for name in NAMES]
        titles = [ax.get_title() + ax.get_title(loc="left") for ax in axes]
        assert titles == ["stage 0", "stage 1", "stage 2"] + [""] * 6
        assert [ax.get_xlabel() for ax in axes] == [""] * 6 + ["channel (index)"] * 3

    def test_mark_the_start_of_the_means_which_is_inside_the_scale(self, views):
        figure = plots.plot_gate_maps(views, start=0.05)
        assert panels(figure)[0].images[0].get_clim()[0] == 0.05
        bar = figure.axes[-1]
        assert "orange: before training, about 0.05" in bar.get_ylabel()
        assert [line.get_ydata()[0] for line in bar.lines if line.get_gid() == "start"] == [0.05]

    def test_refuse_what_they_can_not_draw(self, views):
        with pytest.raises(DataError, match="of: got 'variance', expected 'mean' or 'sd'"):
            plots.plot_gate_maps(views, of="variance")
        with pytest.raises(DataError, match="no network to draw"):
            plots.plot_gate_maps({})
        with pytest.raises(DataError, match="the same number of stages"):
            plots.plot_gate_maps(views | {"short": views["DIA"][:2]})

    def test_names_of_networks_do_not_overlap(self, views):
        figure = plots.plot_gate_maps(views)
        figure.draw_without_rendering()
        boxes = [ax.yaxis.label.get_window_extent() for ax in panels(figure)[::3]]
        assert not any(one.overlaps(other) for one, other in zip(boxes, boxes[1:], strict=False))


class TestImageWalks:
    def test_show_each_network_the_image_that_it_was_shown_and_that_images_gates(self, views):
        pictures = {name: np.full((1, 8, 8), k) for k, name in enumerate(NAMES)}
        figure = plots.plot_image_walks(views, pictures, 4, label="seven", limits=(0, 1))
        maps = drawn(figure)
        for k, name in enumerate(NAMES):
            assert (maps[4 * k] == k).all() and maps[4 * k].shape == (8, 8)
            for stage in range(3):
                np.testing.assert_allclose(maps[4 * k + 1 + stage], views[name][stage][4])
        assert panels(figure)[1].images[0].get_clim() == (0, 1)
        first = panels(figure)[0]
        assert first.get_title() + first.get_title(loc="left") == "image 4\nlabel 'seven'"

    def test_take_images_in_colour(self, views):
        pictures = dict.fromkeys(NAMES, np.zeros((3, 8, 8)))
        assert drawn(plots.plot_image_walks(views, pictures, 0))[0].shape == (8, 8, 3)


class TestClassMaps:
    def test_are_deviations_of_the_last_block_on_one_scale_around_0(self, views):
        labels, shares = np.arange(IMAGES) % 3, {name: [0.1, 0.2, 0.345] for name in NAMES}
        figure = plots.plot_class_maps(views, labels, ["a", "b", "c", "none"], shares)
        maps = drawn(figure)
        gates = views["untrained"][1][:, -1]
        np.testing.assert_allclose(maps[4][1], gates[labels == 1].mean(0) - gates.mean(0))
        assert np.isnan(np.ma.filled(maps[4][3], np.nan)).all()
        limits = {ax.images[0].get_clim() for ax in panels(figure)}
        assert len(limits) == 1 and min(limits)[0] == -min(limits)[1]

    def test_have_the_share_between_classes_and_the_largest_deviation_written_on_them(self, views):
        calm = views | {"untrained": [np.full_like(stage, 0.25) for stage in views["DIA"]]}
        shares = {name: [0.1, 0.2, 0.345] for name in NAMES} | {"untrained": [float("nan")] * 3}
        axes = panels(plots.plot_class_maps(calm, np.arange(IMAGES) % 3, list("abc"), shares))
        titles = [ax.get_title() + ax.get_title(loc="left") for ax in axes]
        assert titles[2].startswith("stage 2, last block\n34 % between classes, ±")
        assert titles[3] == "no variance, ±0"

    @pytest.mark.parametrize("stages", [1, 3, 4])
    def test_titles_do_not_touch(self, views, stages):
        some = {name: (list(gates) * 2)[:stages] for name, gates in views.items()}
        with plt.rc_context():
            plots.set_style()
            shares = {name: [0.123] * stages for name in NAMES}
            figure = plots.plot_class_maps(some, np.arange(IMAGES) % 3, list("abc"), shares)
            figure.draw_without_rendering()
        boxes = [text.get_window_extent() for ax in panels(figure) for text in (ax.title, ax._left_title)]
        boxes = [box for box in boxes if box.width > 1]
        assert len(boxes) == stages * len(NAMES)
        assert not any(one.overlaps(other) for k, one in enumerate(boxes) for other in boxes[k + 1 :])

    def test_of_a_hundred_classes_name_some(self, views):
        names, shares = [f"class {n}" for n in range(100)], {name: [0.0] * 3 for name in NAMES}
        ax = panels(plots.plot_class_maps(views, np.arange(IMAGES), names, shares))[0]
        assert [text.get_text() for text in ax.get_yticklabels()][:2] == ["class 0", "class 10"]
        assert ax.get_ylabel() == "DIA\nclass (every 10th)"


class TestClassShare:
    def test_has_a_line_a_stage_and_the_chance(self):
        shares = {"DIA": [[0.5, 0.6], [0.7, 0.8]], "untrained": [[0.1, 0.1], [0.2, 0.2]]}
        ax = plots.plot_class_share(shares, chance=0.01)
        lines = [line.get_ydata().tolist() for line in ax.lines if line.get_gid() == "DIA"]
        assert lines == shares["DIA"] and ax.get_ylim() == (0, 1)
        assert [line.get_ydata()[0] for line in ax.lines if line.get_gid() == "chance"] == [0.01]
        assert [text.get_text() for text in ax.get_legend().get_texts()] == ["DIA", "untrained", "chance: 0.01"]

    def test_draws_where_it_is_told(self):
        _, ax = plt.subplots()
        assert plots.plot_class_share({"DIA": [[0.5]]}, ax=ax) is ax


def walk(of: str = "state (h, c)", labels: int = 3) -> xr.DataArray:
    values = np.random.default_rng(0).random((labels, 4, 2))
    coords = {"label": [f"c{n}" for n in range(labels)], "block": range(4)}
    attrs = {"of": of, "explained": [0.61, 0.2], "centred": False}
    return xr.DataArray(values, dims=("label", "block", "component"), coords=coords, attrs=attrs)


class TestTrajectories:
    def test_are_the_class_means_with_the_variance_on_the_axes(self):
        made = walk()
        ax = plots.plot_trajectories({"DIA": made, "SE shared": walk("gate")}, stage=2).axes[0]
        for label in made["label"].values:
            (line,) = [line for line in ax.lines if line.get_gid() == label]
            np.testing.assert_allclose(np.c_[line.get_data()], made.sel(label=label))
        assert ax.get_xlabel() == "component 1: 61 % of variance"
        assert ax.get_ylabel() == "component 2: 20 % of variance"

    def test_say_of_what_they_are(self):
        figure = plots.plot_trajectories({"DIA": walk(), "SE shared": walk("gate")}, stage=2)
        titles = [ax.get_title() + ax.get_title(loc="left") for ax in figure.axes]
        assert titles == ["DIA: state (h, c)", "SE shared: gate"] and "stage 2, as it is" in figure.get_suptitle()

    def test_name_few_classes_at_their_last_block_and_many_not(self):
        made = walk()
        names = plots.plot_trajectories({"DIA": made}, stage=0).axes[0].texts
        assert [text.get_text() for text in names] == list(made["label"].values)
        np.testing.assert_allclose([text.get_position() for text in names], made.isel(block=-1))
        assert not plots.plot_trajectories({"DIA": walk(labels=11)}, stage=0).axes[0].texts

    def test_key_and_title_do_not_touch(self):
        figure = plots.plot_trajectories({str(n): walk() for n in range(5)}, stage=0)
        figure.draw_without_rendering()
        assert not figure.legends[0].get_window_extent().overlaps(figure._suptitle.get_window_extent())

    def test_refuse_what_is_none(self):
        with pytest.raises(DataError, match="no network to draw"):
            plots.plot_trajectories({}, stage=0)
        with pytest.raises(DataError, match="label, block and component; got image"):
            plots.plot_trajectories({"DIA": walk().rename(label="image")}, stage=0)


@pytest.fixture
def course() -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "arm": arm,
                "stage": s,
                "epoch": e,
                "mean": 0.2 + s,
                "spread": 0.01 * (e + 1) * (s + 1),
                "class_share": 0.4,
            }
            for arm in ("DIA", "SE shared")
            for s in range(3)
            for e in (0, 1, 3, 5, 40)
        ]
    )


class TestEpochs:
    def test_are_a_row_a_measure_and_a_panel_a_stage(self, course):
        axes = plots.plot_gates_by_epoch(course, chance=0.02).axes
        assert len(axes) == 9 and [ax.get_title() + ax.get_title(loc="left") for ax in axes[:3]][2] == "stage 2"
        (line,) = [line for line in axes[5].lines if line.get_gid() == "SE shared"]
        assert line.get_xdata().tolist() == [0, 1, 3, 5, 40]
        np.testing.assert_allclose(line.get_ydata(), [0.03, 0.06, 0.12, 0.18, 1.23])
        assert [line.get_ydata()[0] for line in axes[6].lines if line.get_gid() == "chance"] == [0.02]

    def test_show_the_largest_value_of_any_stage(self, course):
        axes = plots.plot_gates_by_epoch(course).axes
        assert axes[3].get_ylim()[0] == 0 and axes[3].get_ylim()[1] > course["spread"].max()

    def test_name_the_first_and_the_last_epoch(self, course):
        figure = plots.plot_gates_by_epoch(course)
        assert list(figure.axes[-1].get_xticks())[0] == 0 and list(figure.axes[-1].get_xticks())[-1] == 40
        assert figure.axes[-1].get_xlabel() == "epoch"

    def test_refuse_a_frame_that_lacks_a_column(self, course):
        with pytest.raises(DataError, match="lacks spread"):
            plots.plot_gates_by_epoch(course.drop(columns="spread"))
