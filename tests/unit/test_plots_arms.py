"""Plots of arms: what is drawn are the numbers that went in, each arm in its own colour."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from scipy import stats

from dianet_lab import plots
from dianet_lab.errors import DataError
from dianet_lab.plots.style import ARM_STYLES, set_style

ARMS = ("plain", "SE per block", "DIA")
PARAMETERS = {"plain": 25_000, "SE per block": 30_000, "DIA": 90_000}


def first_line(ax) -> str:
    """The label of the x axis without the notes below it."""
    return ax.get_xlabel().split("\n")[0]


def overlapping(boxes) -> list:
    return [(a, b) for i, a in enumerate(boxes) for b in boxes[:i] if a.overlaps(b)]


@pytest.fixture
def frame() -> pd.DataFrame:
    """Three arms by four seeds, the baseline not first; one run of DIA diverged."""
    rng = np.random.default_rng(0)
    rows = [
        {
            "arm": arm,
            "is_baseline": arm == "plain",
            "seed": seed,
            "status": "finished",
            "test_accuracy": rng.uniform(0.9, 0.99),
            "parameters": PARAMETERS[arm],
        }
        for arm in reversed(ARMS)
        for seed in range(4)
    ]
    frame = pd.DataFrame(rows)
    frame.loc[1, ["status", "test_accuracy"]] = ["diverged", np.nan]
    return frame


@pytest.fixture
def summary() -> pd.DataFrame:
    nan = np.nan
    columns = ["arm", "n", "low", "high", "difference", "difference_low", "difference_high", "is_baseline"]
    return pd.DataFrame(
        [
            ("plain", 4, 0.90, 0.94, nan, nan, nan, True),
            ("SE per block", 4, 0.90, 0.95, 0.01, -0.01, 0.03, False),
            ("DIA", 4, 0.93, 0.97, 0.03, 0.02, 0.04, False),
        ],
        columns=columns,
    )


@pytest.fixture
def effects() -> pd.DataFrame:
    columns = ["contrast", "n", "estimate", "low", "high", "verdict", "seeds_needed", "delta"]
    return pd.DataFrame(
        [
            ("sharing", 9, 0.004, -0.001, 0.009, "undecided", 8, 0.005),
            ("memory", 9, -0.02, -0.03, -0.01, "worse", np.inf, 0.005),
        ],
        columns=columns,
    )


@pytest.fixture
def history() -> pd.DataFrame:
    """Two arms by three seeds by four epochs, evaluated at the even ones."""
    rows = [
        {
            "arm": arm,
            "seed": seed,
            "epoch": epoch,
            "train_loss": 1 / epoch,
            "test_accuracy": np.nan if epoch % 2 else 0.5 + 0.1 * epoch + 0.01 * seed,
        }
        for arm in ARMS[::2]
        for seed in range(3)
        for epoch in range(1, 5)
    ]
    return pd.DataFrame(rows)


def texts(ax) -> list[str]:
    return [text.get_text() for text in ax.texts]


def by_gid(ax, gid: str) -> list:
    return [artist for artist in ax.get_children() if artist.get_gid() == gid]


def finished(frame: pd.DataFrame, arm: str) -> pd.Series:
    return frame.loc[(frame["arm"] == arm) & (frame["status"] == "finished"), "test_accuracy"]


def test_every_finished_run_has_a_dot_at_its_percentage(frame):
    ax = plots.plot_arms(frame)
    for row, arm in enumerate(["plain", "DIA", "SE per block"]):
        dots = by_gid(ax, arm)[0].get_offsets()
        np.testing.assert_allclose(np.sort(dots[:, 0]), np.sort(100 * finished(frame, arm)))
        assert set(dots[:, 1]) == {row}


def test_rows_are_named_from_the_top_with_the_baseline_first_and_lost_runs_counted(frame):
    frame.loc[frame["arm"].eq("SE per block") & frame["seed"].eq(0), ["status", "test_accuracy"]] = ["failed", np.nan]
    ax = plots.plot_arms(frame)
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert labels == ["plain", "DIA (3 of 4; 1 diverged)", "SE per block (3 of 4; 1 failed)"]
    assert ax.yaxis_inverted()
    assert [text.split(", ")[1] for text in texts(ax)] == ["n = 4", "n = 3", "n = 3"]


def test_intervals_are_students(frame):
    ax = plots.plot_arms(frame, arms=ARMS)
    for arm in ARMS:
        values = 100 * finished(frame, arm)
        expected = stats.t.interval(0.95, len(values) - 1, values.mean(), stats.sem(values))
        inside = np.clip(expected, *ax.get_xlim())
        np.testing.assert_allclose(by_gid(ax, f"interval:{arm}")[0].get_xdata(), inside)
        assert inside[0] == expected[0]


def test_lines_join_the_runs_of_one_seed_and_break_where_one_is_missing(frame):
    ax = plots.plot_arms(frame, arms=ARMS)
    lines = by_gid(ax, "seed")
    expected = 100 * frame.pivot(index="seed", columns="arm", values="test_accuracy")[list(ARMS)]
    np.testing.assert_allclose([line.get_xdata() for line in lines], expected)
    assert np.isnan(lines[1].get_xdata()[2])


def test_one_seed_and_an_arm_without_a_finished_run_are_drawn(frame):
    frame.loc[frame["arm"] == "DIA", ["status", "test_accuracy"]] = ["diverged", np.nan]
    ax = plots.plot_arms(frame[frame["seed"] == 0])
    assert "DIA (0 of 1; 1 diverged)" in [label.get_text() for label in ax.get_yticklabels()]
    assert "n = 0" in texts(ax)
    ax.figure.draw_without_rendering()
    against = plots.plot_accuracy_against(frame)
    assert not by_gid(against, "interval:DIA")
    plots.plot_accuracy_against(frame[frame["seed"] == 0]).figure.draw_without_rendering()
    plots.plot_accuracy_against(frame[frame["arm"] == "DIA"]).figure.draw_without_rendering()


def test_an_interval_against_costs_ends_at_100_percent_and_says_that_it_goes_on(frame):
    frame.loc[frame["arm"] == "DIA", "test_accuracy"] = [0.999, np.nan, 0.999, 0.95]
    ax = plots.plot_accuracy_against(frame[frame["arm"] == "DIA"])
    assert by_gid(ax, "interval:DIA")[0].get_ydata()[1] == 100
    (arrow,) = by_gid(ax, "beyond")
    assert arrow.get_marker() == "^" and arrow.get_ydata() == [100]
    assert to_hex(arrow.get_color()) == ARM_STYLES["DIA"].color
    assert ax.get_xlabel().endswith("arrowheads: intervals beyond 0 or 100 %")


def test_an_arm_has_one_color_in_all_plots(frame, summary, history):
    expected = ARM_STYLES["DIA"].color
    drawn = [
        by_gid(plots.plot_arms(frame), "interval:DIA")[0],
        by_gid(plots.plot_accuracy_against(frame), "interval:DIA")[0],
        by_gid(plots.plot_differences(summary), "estimate")[-1],
        next(line for line in plots.plot_history(history).lines if line.get_label() == "DIA"),
    ]
    assert [to_hex(line.get_color()) for line in drawn] == [expected] * 4


def test_differences_are_drawn_in_points_with_their_own_interval(summary):
    ax = plots.plot_differences(summary, delta=0.005)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["SE per block", "DIA"]
    np.testing.assert_allclose([line.get_xdata() for line in by_gid(ax, "interval")], [[-1, 3], [2, 4]])
    assert [line.get_xdata()[0] for line in by_gid(ax, "estimate")] == pytest.approx([1, 3])
    assert "'plain'" in ax.get_xlabel()
    bands = by_gid(ax, "delta")
    assert [(band.get_x(), band.get_width()) for band in bands] == [pytest.approx((-0.5, 1.0))] * 2


def test_differences_have_numbers_and_no_verdict_of_their_own(summary):
    """A verdict is for the contrasts that were named before the run."""
    ax = plots.plot_differences(summary)
    assert texts(ax) == ["+1.0 [−1.0, +3.0], n = 4", "+3.0 [+2.0, +4.0], n = 4"]
    assert not by_gid(ax, "delta") and "undecided" not in [text.get_text() for text in ax.get_legend().texts]


def test_only_a_decided_marker_is_filled_and_the_verdict_is_written(effects):
    # Nine seeds were run where eight were needed: there is nothing to ask for.
    ax = plots.plot_effects(effects)
    assert texts(ax) == ["undecided, n = 9", "worse, n = 9"]
    assert [line.get_markerfacecolor() == "white" for line in by_gid(ax, "estimate")] == [True, False]


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"n": 4, "seeds_needed": 21.0}, "undecided (21 seeds find 0.5 points), n = 4"),
        (
            {"n": 4, "seeds_needed": 21.0, "p_holm": 1.0, "p_equal": np.nan, "high": 0.004},
            "undecided (within ±0.5 points,\nassay failed), n = 4",
        ),
        ({"n": 4, "lost": 1, "seeds_needed": 21.0}, "undecided (too many seeds lost), n = 4"),
        ({"n": 4, "waiting": 3, "seeds_needed": 21.0}, "undecided (3 seeds to come), n = 4"),
    ],
)
def test_what_stands_in_the_way_of_a_verdict_is_told(effects, columns, said):
    assert texts(plots.plot_effects(effects.assign(**columns)))[0] == said


def told(**columns) -> pd.DataFrame:
    """One effect of each kind, an exploratory one first."""
    rows = [("tried", 0.02, "exploratory"), ("equal", 0.001, "equivalent"), ("open", 0.01, "undecided")]
    frame = pd.DataFrame(rows, columns=["contrast", "estimate", "verdict"]).assign(n=6, delta=0.01)
    return frame.assign(low=frame.estimate - 0.005, high=frame.estimate + 0.005, seeds_needed=9.0, **columns)


def test_exploratory_effects_come_last_small_and_grey_with_numbers():
    ax = plots.plot_effects(told())
    assert [label.get_text() for label in ax.get_yticklabels()] == ["equal", "open", "tried"]
    assert texts(ax) == [
        "equivalent (within ±1 point), n = 6",
        "undecided (9 seeds find 1 point), n = 6",
        "+2.0 [+1.5, +2.5], n = 6",
    ]
    marks = by_gid(ax, "estimate")
    assert [mark.get_marker() for mark in marks] == ["o", "o", "D"] and marks[2].get_markersize() < marks[
        0
    ].get_markersize()
    assert [text.get_fontweight() for text in ax.texts] == ["bold", "normal", "normal"]
    assert [text.get_text() for text in ax.get_legend().texts] == [
        "decided", "undecided", "exploratory, no verdict", "too small to matter",
    ]  # fmt: skip
    explored = plots.plot_effects(told(verdict="exploratory"))
    assert [text.get_text() for text in explored.get_legend().texts] == [
        "exploratory, no verdict", "too small to matter",
    ]  # fmt: skip


def test_an_interval_many_times_as_long_as_the_others_ends_in_arrowheads_and_squeezes_none():
    rows = told().assign(verdict=["better", "undecided", "exploratory"], low=[-0.5, 0.0, 0.0], high=[0.9, 0.01, 0.02])
    ax = plots.plot_effects(rows)
    low, high = ax.get_xlim()
    assert -2 < low < 0 and 2 < high < 3
    assert {(mark.get_marker(), mark.get_xdata()[0]) for mark in by_gid(ax, "beyond")} == {("<", low), (">", high)}
    assert texts(ax)[0] == "better, n = 6, +2.0 [−50.0, +90.0]"
    beyond = by_gid(plots.plot_effects(rows.assign(estimate=[0.4, 0.005, 0.01])), "estimate")[0]
    assert beyond.get_marker() == ">"


def test_equivalent_is_an_interval_inside_the_band():
    ax = plots.plot_effects(told())
    (low, high), band = by_gid(ax, "interval")[0].get_xdata(), by_gid(ax, "delta")[0]
    assert band.get_x() < low < high < band.get_x() + band.get_width()


def test_new_images_and_own_learning_rates_are_drawn_where_they_are_known():
    key = {"for new test images too", "at each arm's own learning rate"}
    known = {"crossed_low": -0.01, "crossed_high": 0.03, "own_estimate": 0.0, "own_low": -0.01, "own_high": np.nan}
    ax = plots.plot_effects(told(**known))
    assert list(by_gid(ax, "crossed")[0].get_xdata()) == [-1, 3]
    assert by_gid(ax, "crossed")[0].get_linewidth() < by_gid(ax, "interval")[0].get_linewidth()
    for own, main in zip(by_gid(ax, "own"), by_gid(ax, "estimate"), strict=True):
        assert 0 < own.get_ydata()[0] - main.get_ydata()[0] < 0.5 and own.get_marker() == "s"
    assert key <= {text.get_text() for text in ax.get_legend().texts}
    ax.figure.draw_without_rendering()
    assert by_gid(ax, "crossed")[0].get_marker() == "|"  # a cap, so that it can't be taken for the line at 0
    assert "common learning rate" in ax.get_xlabel()
    unknown = plots.plot_effects(told(**dict.fromkeys(known, np.nan)))
    assert not by_gid(unknown, "own") and not key & {text.get_text() for text in unknown.get_legend().texts}


def test_an_interval_for_new_images_that_is_as_long_as_that_for_these_is_not_drawn_over_it():
    rows = told()
    same = plots.plot_effects(rows.assign(crossed_low=rows["low"] - 1e-4, crossed_high=rows["high"]))
    assert not by_gid(same, "crossed") and len(same.get_legend().texts) == 4


def test_effects_fit_a_report_and_show_zero():
    far = told().assign(low=0.05, estimate=0.06, high=0.07, delta=np.nan)
    ax = plots.plot_effects(far)
    assert ax.get_xlim()[0] <= 0 and "0: no difference" in ax.get_xlabel()
    assert ax.figure.get_size_inches()[0] <= 9


def test_a_difference_of_one_seed_has_no_interval(summary):
    summary[["difference_low", "difference_high"]] = np.nan
    plots.plot_differences(summary).figure.draw_without_rendering()


def test_history_is_the_mean_and_the_range_of_the_evaluated_epochs(history):
    ax = plots.plot_history(history)
    line = next(line for line in ax.lines if line.get_label() == "DIA")
    np.testing.assert_allclose(line.get_xydata(), [[2, 71], [4, 91]])
    band = ax.collections[0].get_paths()[0].vertices
    assert (band[:, 1].min(), band[:, 1].max()) == pytest.approx((70, 92))
    assert "lowest to highest seed" in ax.get_title(loc="left")
    assert sorted(texts(ax)) == ["DIA", "plain"]


def test_history_of_an_arm_without_values_is_left_out(history):
    history.loc[history["arm"] == "DIA", "test_accuracy"] = np.nan
    assert texts(plots.plot_history(history)) == ["plain"]
    history["test_accuracy"] = np.nan
    assert texts(plots.plot_history(history)) == []


def test_losses_have_a_logarithmic_axis_and_names_at_their_ends(history):
    history.loc[history["arm"] == "DIA", "train_loss"] /= 100
    ax = plots.plot_history(history, "train_loss", ylim=(1e-4, 1))
    assert ax.get_yscale() == "log" and ax.get_ylabel() == "training loss (nats; logarithmic axis)"
    heights = {text.get_text(): text.get_position()[1] for text in ax.texts}
    assert heights == pytest.approx({"plain": 1 + np.log10(0.25) / 4, "DIA": 0.5 + np.log10(0.25) / 4})
    history.loc[history["epoch"] == 4, "train_loss"] = 0.0
    plots.plot_history(history, "train_loss").figure.draw_without_rendering()


def test_an_accuracy_starts_at_0_or_its_axis_says_otherwise(history):
    def far(low: float):
        return plots.plot_history(history.assign(test_accuracy=low + (1 - low) * history["epoch"] / 5))

    near, cut = far(0.0), far(0.9)
    assert near.get_ylim()[0] == 0 and near.get_ylabel() == "test accuracy (%)"
    assert cut.get_ylim()[0] > 80 and cut.get_ylabel() == "test accuracy (%)\n(the axis does not start at 0)"


def test_lines_of_one_colour_are_dashed_and_a_piece_of_each_stands_before_its_name(history):
    backbones = history.assign(arm="ResNet, " + history["arm"]), history.assign(arm="PreResNet, " + history["arm"])
    ax = plots.plot_history(pd.concat(backbones), arms=["ResNet, DIA", "PreResNet, DIA"])
    lines = {line.get_label(): line.get_linestyle() for line in ax.lines if line.get_gid() is None}
    assert lines == {"ResNet, DIA": "-", "PreResNet, DIA": "--"}
    for name, dash in lines.items():
        (sample,) = by_gid(ax, f"sample:{name}")
        (text,) = [text for text in ax.texts if text.get_text() == name]
        assert sample.get_linestyle() == dash and sample.get_ydata()[0] == text.get_position()[1]
    assert not [line for line in plots.plot_history(history).lines if str(line.get_gid()).startswith("sample")]


def test_cost_axis_is_logarithmic_beyond_a_factor_of_ten(frame):
    dear = frame.assign(parameters=frame["parameters"].where(frame["arm"] != "DIA", 300_000))
    assert plots.plot_accuracy_against(dear).get_xscale() == "log"
    assert first_line(plots.plot_accuracy_against(dear)) == "parameters (number; logarithmic axis)"
    ax = plots.plot_accuracy_against(frame)
    assert ax.get_xscale() == "linear" and ax.get_xlim()[0] == 0
    assert first_line(ax) == "parameters (number)"
    alike = plots.plot_accuracy_against(frame[frame["arm"] != "DIA"])
    assert alike.get_xlim()[0] > 0 and first_line(alike) == "parameters (number; the axis does not start at 0)"
    ax = plots.plot_accuracy_against(frame, ladder=["plain", "DIA"])
    assert list(by_gid(ax, "ladder")[0].get_xdata()) == [25_000, 90_000]


def test_time_is_the_median_of_the_runs(frame):
    """As in the table of costs: runs that shared the machine took longer."""
    seconds = frame.assign(seconds=[10.0, 10.0, 11.0, 90.0] * 3)
    ax = plots.plot_accuracy_against(seconds, "seconds")
    assert by_gid(ax, "interval:plain")[0].get_xdata()[0] == 10.5 and ax.get_xlabel().startswith("median")


def test_names_of_crowded_points_do_not_overlap():
    rng = np.random.default_rng(1)
    arms = ["plain", "SE per block", "SE shared", "DIA", "r=1", "r=2", "r=8", "r=16"]
    crowd = pd.DataFrame(
        [
            {
                "arm": arm,
                "parameters": 25_000 + 3_000 * number,
                "status": "finished",
                "test_accuracy": rng.normal(0.95, 0.005),
            }
            for number, arm in enumerate(arms)
            for _ in range(5)
        ]
    )
    ax = plots.plot_accuracy_against(crowd)
    ax.figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in ax.texts]
    marks = [line for line in ax.lines if line.get_marker() not in ("None", "")]
    middles = [ax.transData.transform(line.get_xydata()[0]) for line in marks]
    assert len(boxes) == len(arms) == len(middles)
    assert not any(box.contains(*middle) for box in boxes for middle in middles)
    assert not overlapping(boxes)


def test_names_of_huddled_points_take_a_second_line_rather_than_overlap():
    """Five arms whose runs take alike, above one with an interval far longer than theirs: room for names is scarce."""
    arms = {  # seconds, and mean and half of the interval in %
        "plain": (5.5785, 86.2, 1.57),
        "r=16": (7.7975, 92.6, 0.5),
        "r=8": (7.6605, 92.58, 0.5),
        "DIA": (8.118, 92.5, 0.5),
        "r=2": (7.7505, 92.4, 0.5),
        "r=1": (7.896, 92.78, 0.5),
        "no bottleneck": (7.022, 92.3, 2.24),
        "gain 0.25, size of r=1": (6.684, 84.6, 14.1),
    }
    huddle = pd.DataFrame(
        [
            {"arm": arm, "status": "finished", "seconds": seconds, "test_accuracy": (mean + sign * half / 12.7) / 100}
            for arm, (seconds, mean, half) in arms.items()
            for sign in (-1, 1)
        ]
    )
    with plt.rc_context():
        set_style()
        ax = plots.plot_accuracy_against(huddle, "seconds", ladder=["r=1", "r=2", "DIA", "r=8", "r=16"])
        ax.figure.draw_without_rendering()
        assert not overlapping([text.get_window_extent() for text in ax.texts])


def test_axes_name_their_units(frame, summary, effects, history):
    assert first_line(plots.plot_arms(frame)) == "last-epoch test accuracy (%; the axis does not start at 0)"
    assert "percentage points" in plots.plot_differences(summary).get_xlabel()
    assert "percentage points" in plots.plot_effects(effects).get_xlabel()
    ax = plots.plot_history(history, "train_loss")
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("epoch", "training loss (nats; logarithmic axis)")
    ax = plots.plot_accuracy_against(frame)
    assert first_line(ax) == "parameters (number)"
    assert "(%)" in ax.get_ylabel() and "95 % t interval" in ax.get_ylabel()


def test_plots_draw_where_they_are_told(frame, summary, effects, history):
    _, ax = plt.subplots()
    for plot, data in (
        (plots.plot_arms, frame),
        (plots.plot_differences, summary),
        (plots.plot_effects, effects),
        (plots.plot_history, history),
        (plots.plot_accuracy_against, frame),
    ):
        assert plot(data, ax=ax) is ax
    assert plt.get_fignums() == [ax.figure.number]


def test_a_frame_without_a_column_is_refused_by_name(frame):
    with pytest.raises(DataError, match="lacks status"):
        plots.plot_arms(frame.drop(columns="status"))


def test_a_summary_of_the_baseline_alone_is_an_empty_plot(summary):
    ax = plots.plot_differences(summary[summary["arm"] == "plain"])
    ax.figure.draw_without_rendering()
    assert texts(ax) == []


def test_groups_join_equal_seeds_of_one_backbone_only():
    arms = ["ResNet, plain", "ResNet, DIA", "ResNeXt, plain", "ResNeXt, DIA"]
    rows = [
        {"arm": arm, "seed": seed, "status": "finished", "test_accuracy": 0.9 + 0.01 * seed}
        for arm in arms
        for seed in range(2)
    ]
    lines = [line for line in plots.plot_arms(pd.DataFrame(rows), groups=True).get_lines() if line.get_gid() == "seed"]
    assert sorted(tuple(line.get_ydata()) for line in lines) == [(0, 1), (0, 1), (2, 3), (2, 3)]


def test_no_seed_is_joined_from_one_setting_to_the_next():
    """Networks of two depths share no start: what stands before the colon parts them, whoever draws."""
    arms = ["depth 20: plain, gain 0.25", "depth 20: DIA", "depth 38: plain, gain 0.25", "depth 38: DIA"]
    rows = [{"arm": arm, "seed": 0, "status": "finished", "test_accuracy": 0.9} for arm in arms]
    ax = plots.plot_arms(pd.DataFrame(rows))
    assert sorted(tuple(line.get_ydata()) for line in by_gid(ax, "seed")) == [(0, 1), (2, 3)]
    assert len(by_gid(ax, "group")) == 1 and 1 < by_gid(ax, "group")[0].get_ydata()[0] < 2


class TestBeyondTheAxis:
    """What would squeeze all others is an arrowhead at the edge of the axis, and its number is told."""

    def frame(self, worst: list[float]) -> pd.DataFrame:
        rows = [
            {"arm": arm, "seed": seed, "status": "finished", "test_accuracy": 0.9 + 0.005 * seed}
            for arm in ("plain", "DIA", "SE per block")
            for seed in range(6)
        ]
        for row, accuracy in zip(rows, worst, strict=False):
            row["test_accuracy"] = accuracy
        return pd.DataFrame(rows)

    def test_a_run_far_below_is_written_at_its_row_where_no_dot_is(self):
        ax = plots.plot_arms(self.frame([0.4]))
        (told,) = by_gid(ax, "far")
        left = ax.get_xlim()[0]
        assert (told.get_text(), told.xy) == ("40.0", (left, 0)) and left > 60
        assert ("<", left, 0) in heads(ax)
        ax.figure.draw_without_rendering()
        end = ax.transData.inverted().transform(told.get_window_extent().p1)[0]
        assert end < by_gid(ax, "plain")[0].get_offsets()[:, 0].min()

    def test_its_seed_ends_at_the_edge_and_its_dot_is_not_drawn(self):
        ax = plots.plot_arms(self.frame([0.4]))
        assert by_gid(ax, "seed")[0].get_xdata()[0] == ax.get_xlim()[0]
        assert len(by_gid(ax, "plain")[0].get_offsets()) == 5

    def test_an_interval_that_is_cut_has_arrowheads_and_its_number(self):
        ax = plots.plot_arms(self.frame([0.4]))
        left, right = ax.get_xlim()
        values = [40, *np.arange(90.5, 93, 0.5)]
        half = stats.t.ppf(0.975, 5) * stats.sem(values)
        np.testing.assert_allclose(by_gid(ax, "interval:plain")[0].get_xdata(), [left, right])
        assert {(shape, x) for shape, x, row in heads(ax) if row == 0.24} == {("<", left), (">", right)}
        assert texts(ax)[1].endswith(f"{np.mean(values):.2f} ± {half:.2f} %, n = 6") and right <= 101
        assert "arrowheads: beyond the axis" in ax.get_xlabel()

    def test_a_mean_beyond_is_an_arrowhead_and_says_so(self):
        ax = plots.plot_arms(self.frame([0.4, 0.41, 0.42, 0.43]))
        assert by_gid(ax, "far")[0].get_text() == "4 runs, 40.0 to 43.0"
        assert by_gid(ax, "mean:plain")[0].get_marker() == "<" and by_gid(ax, "mean:DIA")[0].get_marker() == "D"
        assert [text.startswith("◀ ") for text in texts(ax) if "n = " in text] == [True, False, False]

    def test_a_run_a_little_lower_is_a_dot_like_others(self):
        ax = plots.plot_arms(self.frame([0.89]))
        assert not by_gid(ax, "far") and not heads(ax) and ax.get_xlim()[0] < 89
        assert "arrowheads" not in ax.get_xlabel()


def heads(ax) -> list[tuple[str, float, float]]:
    return [(mark.get_marker(), mark.get_xdata()[0], mark.get_ydata()[0]) for mark in by_gid(ax, "beyond")]
