"""Figures of whole studies: what is drawn and written are the numbers that went in, and what was lost is counted."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from scipy import stats

from dianet_lab import plots
from dianet_lab.analysis.claim_file import EXPECTATIONS
from dianet_lab.errors import DataError
from dianet_lab.plots.rates import shade
from dianet_lab.plots.style import ARM_STYLES

NAN = np.nan


def texts(ax) -> list[str]:
    return [text.get_text() for text in ax.texts]


def by_gid(ax, gid: str) -> list:
    return [artist for artist in ax.get_children() if artist.get_gid() == gid]


def rows_of(ax) -> list[str]:
    return [label.get_text() for label in ax.get_yticklabels()]


@pytest.fixture
def rates() -> pd.DataFrame:
    """Two arms by three rates by two seeds; DIA lost a run at 0.1 and both at 1, and was not tried at 0.01."""
    values = {
        ("plain", 0.01): (0.60, 0.62),
        ("plain", 0.1): (0.70, 0.72),
        ("plain", 1.0): (0.68, 0.69),
        ("DIA", 0.1): (0.75, NAN),
        ("DIA", 1.0): (NAN, NAN),
    }
    rows = [
        (arm, rate, seed, "diverged" if np.isnan(v) else "finished", v)
        for (arm, rate), seeds in values.items()
        for seed, v in enumerate(seeds)
    ]
    return pd.DataFrame(rows, columns=["arm", "rate", "seed", "status", "val_accuracy"])


@pytest.fixture
def phases() -> pd.DataFrame:
    columns = ["condition", "depth", "rate", "arm", "finished", "runs", "low", "high"]
    rows = [
        ("no skip", 20, 0.1, "plain", 6, 8, 0.41, 0.93),
        ("no skip", 20, 0.3, "plain", 0, 8, 0.0, 0.32),
        ("no skip", 20, 0.1, "DIA", 8, 8, 0.68, 1.0),
        ("no skip", 56, 0.1, "DIA", 4, 8, 0.22, 0.78),
        ("no norm", 20, 0.01, "DIA", 1, 8, 0.02, 0.47),
    ]
    return pd.DataFrame(rows, columns=columns)


@pytest.fixture
def depths() -> pd.DataFrame:
    """Two arms by three depths by three seeds; plain loses one run at depth 110 and all at 56."""
    rows = []
    for depth in (20, 56, 110):
        for number, arm in enumerate(("plain", "DIA")):
            for seed in range(3):
                lost = arm == "plain" and (depth == 56 or (depth == 110 and seed == 0))
                accuracy = NAN if lost else 0.6 + depth / 1000 + 0.01 * seed + 0.02 * number
                status = "diverged" if lost else "finished"
                rows.append((depth, arm, seed, status, accuracy, 1000 * depth * (1 + number), 60.0 + seed))
    columns = ["depth", "arm", "seed", "status", "test_accuracy", "parameters", "seconds"]
    return pd.DataFrame(rows, columns=columns)


@pytest.fixture
def gates() -> pd.DataFrame:
    rows = [
        {"arm": arm, "seed": seed, "epoch": epoch}
        | {f"q{q:02}": (q + epoch + 10 * seed) / 100 for q in (5, 25, 50, 75, 95)}
        for arm in ("DIA", "SE per block", "tanh", "relu")
        for seed in range(2)
        for epoch in range(3)
    ]
    return pd.DataFrame(rows)


@pytest.fixture
def gradients() -> pd.DataFrame:
    rows = [
        (arm, block, block // 2, 10.0 ** (block + n)) for n, arm in enumerate(("plain", "DIA")) for block in range(6)
    ]
    return pd.DataFrame(rows, columns=["arm", "block", "stage", "norm"])


@pytest.fixture
def recipes() -> pd.DataFrame:
    rows = [
        (recipe, arm, seed, start + 0.01 * number + 0.001 * seed)
        for recipe, start in (("official, best epoch", 0.90), ("strong, last epoch", 0.94))
        for number, arm in enumerate(("plain", "DIA"))
        for seed in range(3)
    ]
    return pd.DataFrame(rows, columns=["recipe", "arm", "seed", "accuracy"])


@pytest.fixture
def ledger() -> pd.DataFrame:
    rows = [
        ("sharing", "better", "supported", 0.003, 0.001, 0.006, 24, "depth 20"),
        ("memory", "worse", "undecided", 0.002, -0.003, 0.007, 24, "depth 20"),
        ("better than SE", "equivalent", "contradicted", -0.2, -0.3, -0.1, 24, "depth 20"),
        ("ImageNet", "different", "not testable at this scale", 0.008, -0.004, 0.02, 6, "depth 20"),
        ("reduction", "not better", "not yet run", NAN, NAN, NAN, 0, None),
    ]
    frame = pd.DataFrame(rows, columns=["claim", "expects", "status", "estimate", "low", "high", "n", "scale"])
    return frame.assign(contrast="DIA - plain", delta=0.01)


class TestStyles:
    def test_what_stands_before_a_colon_does_not_change_the_look(self):
        for arm in ("DIA", "per block, carried", "my arm"):
            assert plots.arm_style(f"no norm, depth 20, rate 0.1: {arm}") == plots.arm_style(arm)
        assert plots.arm_style("no norm: PreResNet, DIA") == ARM_STYLES["DIA"]

    def test_an_arm_with_a_comma_of_its_own_is_no_backbone(self):
        assert plots.arm_style("DIA, neutral start") != plots.arm_style("DIA")
        assert plots.arm_style("plain, gain 0") == plots.arm_style("ResNet, plain, gain 0")


class TestRates:
    def test_a_cell_has_the_mean_and_the_extremes_or_what_was_lost(self, rates):
        ax = plots.plot_rates(rates)
        assert rows_of(ax) == ["plain", "DIA"]
        assert [label.get_text() for label in ax.get_xticklabels()] == ["0.01", "0.1", "1"]
        written = {(round(t.get_position()[0]), round(t.get_position()[1]), t.get_text()) for t in ax.texts}
        assert {
            (1, 0, "71.0"),
            (1, 0, "70.0–72.0"),
            (1, 1, "75.0"),
            (1, 1, "1 of 2 lost"),
            (2, 1, "2 of 2 lost"),
        } <= written
        assert not [text for x, y, text in written if (x, y) == (0, 1)]

    def test_a_cell_is_the_darker_the_closer_to_the_best_of_its_arm(self, rates):
        cells = by_gid(plots.plot_rates(rates, span=5), "cell")
        assert len(cells) == 5
        colors = [to_hex(cell.get_facecolor()) for cell in cells]
        assert colors[:2] == [shade(0), shade(1)] and colors[2] == shade(0.5) and colors[3] == shade(1)
        assert [bool(cell.get_hatch()) for cell in cells] == [False] * 4 + [True]

    def test_the_chosen_rate_is_framed_and_said_to_be_at_the_edge(self, rates):
        ax = plots.plot_rates(rates, own={"plain": 0.1, "DIA": 0.1})
        centers = [tuple(np.round(frame.get_center())) for frame in by_gid(ax, "own")]
        assert centers == [(1, 0), (1, 1)]
        assert [text.get_position()[1] for text in ax.texts if text.get_text() == "edge"] == [1]
        assert not by_gid(plots.plot_rates(rates), "own")

    def test_edge_is_explained_where_it_is_written_and_only_there(self, rates):
        told = "edge: the chosen rate is the lowest or the highest of those tried"
        assert told in plots.plot_rates(rates, own={"DIA": 0.1}).get_title(loc="center").splitlines()
        assert "edge" not in plots.plot_rates(rates, own={"plain": 0.1}).get_title(loc="center")

    def test_a_chosen_rate_is_found_in_spite_of_rounding_and_refused_where_it_was_not_tried(self, rates):
        assert len(by_gid(plots.plot_rates(rates, own={"plain": 0.1 * 3 - 0.2}), "own")) == 1
        with pytest.raises(DataError, match="DIA was not tried with its own rate 0.01"):
            plots.plot_rates(rates, own={"DIA": 0.01})

    def test_twenty_two_arms_keep_their_order_and_their_markers(self, rates):
        arms = [*list(ARM_STYLES)[:21], "my arm"]
        frame = pd.concat([rates[rates["arm"] == "plain"].assign(arm=arm) for arm in reversed(arms)])
        ax = plots.plot_rates(frame, arms=arms)
        assert rows_of(ax) == arms
        assert by_gid(ax, "mark:DIA")[0].get_color() == ARM_STYLES["DIA"].color
        ax.figure.draw_without_rendering()


class TestPhases:
    def test_counts_stand_where_they_belong_and_what_was_not_run_is_hatched(self, phases):
        ax = plots.plot_phase(
            phases[(phases["condition"] == "no skip") & (phases["depth"] == 20)], arms=["plain", "DIA"]
        )
        assert {text.get_text(): text.get_position() for text in ax.texts} == {
            "6/8": (0, 0),
            "0/8": (1, 0),
            "8/8": (0, 1),
        }
        cells = {tuple(np.round(cell.get_center())): cell for cell in by_gid(ax, "cell")}
        assert [at for at, cell in cells.items() if cell.get_hatch()] == [(1, 1)]
        assert to_hex(cells[0, 0].get_facecolor()) == shade(0.75) and to_hex(cells[0, 1].get_facecolor()) == shade(1)

    def test_the_interval_spans_its_part_of_the_cell(self, phases):
        ax = plots.plot_phase(phases.iloc[[0]])
        np.testing.assert_allclose(by_gid(ax, "interval")[0].get_xdata(), [-0.46 + 0.92 * 0.41, -0.46 + 0.92 * 0.93])
        assert not by_gid(plots.plot_phase(phases.iloc[[0]], intervals=False), "interval")

    def test_two_depths_in_one_panel_are_refused(self, phases):
        with pytest.raises(DataError, match="several rows"):
            plots.plot_phase(phases)

    def test_conditions_are_rows_of_panels_and_depths_columns(self, phases):
        figure = plots.plot_phases(phases)
        titles = [ax.get_title(loc="left") or ax.get_title() for ax in figure.axes]
        assert titles == ["no skip, depth 20", "depth 56", "no norm, depth 20", "depth 56"]
        assert [sorted(texts(ax)) for ax in figure.axes] == [["0/8", "6/8", "8/8"], ["4/8"], ["1/8"], []]
        figure.draw_without_rendering()

    def test_what_counts_as_finished_and_as_learned_is_defined_on_the_figure(self, phases):
        finished, learned = plots.plot_phases(phases), plots.plot_phases(phases, outcome="learned")
        told = [figure.legends[0].get_title().get_text() for figure in (finished, learned)]
        assert told[0] == "6/8: 6 of 8 runs finished: none of their losses was NaN or infinite"
        assert told[1].startswith("6/8: 6 of 8 runs learned: ") and "more than 50 % of their training images" in told[1]
        assert [figure.legends[0].get_texts()[0].get_text() for figure in (finished, learned)] == [
            "all finished", "all learned",
        ]  # fmt: skip
        assert plots.plot_phase(phases.iloc[[0]]).get_title(loc="center") == told[0]


class TestSeedMeans:
    @pytest.fixture
    def means(self) -> pd.DataFrame:
        values = {"plain": (0.1, 0.62, 0.63, 0.64), "DIA": (0.66, 0.67, 0.68, 0.69)}
        rows = [(arm, seed, "finished", value) for arm, seeds in values.items() for seed, value in enumerate(seeds)]
        return pd.DataFrame(rows, columns=["arm", "seed", "status", "test_accuracy"])

    def test_the_axis_says_over_how_many_cells_and_what_a_diverged_run_is_worth(self, means):
        told = "test accuracy (%), mean over {}, a diverged run counts as {} % (chance)"
        assert plots.plot_seed_means(means, cells=4, chance=0.1).get_xlabel() == told.format("4 cells", 10)
        assert plots.plot_seed_means(means, cells=1, chance=0.01).get_xlabel() == told.format("1 cell", 1)

    def test_chance_is_a_line_with_a_name_within_an_axis_from_0(self, means):
        ax = plots.plot_seed_means(means, cells=4, chance=0.1)
        assert set(by_gid(ax, "chance")[0].get_xdata()) == {10}
        assert "chance" in [text.get_text() for text in ax.get_legend().get_texts()]
        assert ax.get_xlim()[0] == 0 and ax.get_xlim()[1] > 69

    def test_every_seed_is_a_dot_where_it_belongs_even_one_far_below_the_others(self, means):
        ax = plots.plot_seed_means(means, cells=4, chance=0.1, arms=["DIA", "plain"])
        assert rows_of(ax) == ["DIA", "plain"] and len(by_gid(ax, "seed")) == 4
        dots = by_gid(ax, "plain")[0].get_offsets()
        np.testing.assert_allclose(dots[:, 0], [10, 62, 63, 64])
        assert set(dots[:, 1]) == {1}

    def test_without_a_counted_cell_chance_alone_is_drawn(self, means):
        ax = plots.plot_seed_means(means.iloc[:0], cells=0, chance=0.1)
        assert ax.get_xlim()[1] > 10 and by_gid(ax, "chance") and not rows_of(ax)


class TestDepth:
    def test_means_intervals_and_dots_are_those_of_the_finished_runs(self, depths):
        ax = plots.plot_accuracy_by_depth(depths)
        means = {line.get_label(): line.get_ydata() for line in by_gid(ax, "line")}
        np.testing.assert_allclose(means["DIA"], [65, 68.6, 74])
        np.testing.assert_allclose(means["plain"], [63, NAN, 72.5])
        expected = stats.t.interval(0.95, 2, 65, stats.sem([64, 65, 66]))
        np.testing.assert_allclose(by_gid(ax, "interval:DIA")[0].get_ydata(), expected)
        assert len(by_gid(ax, "plain")[0].get_offsets()) == 5
        assert list(ax.get_xticks()) == [20, 56, 110]

    def test_arms_stand_close_to_the_guide_of_their_depth(self, depths):
        ax = plots.plot_accuracy_by_depth(depths)
        assert [line.get_xdata()[0] for line in by_gid(ax, "depth")] == [20, 56, 110]
        for line in by_gid(ax, "line"):
            assert (np.abs(line.get_xdata() - [20, 56, 110]) > 0).all()
            assert (np.abs(line.get_xdata() - [20, 56, 110]) <= 90 / 40).all()
        assert "shifted sideways" in ax.get_xlabel()

    def test_an_interval_beyond_what_an_accuracy_can_be_is_cut_and_told(self, depths):
        depths.loc[(depths["arm"] == "DIA") & (depths["depth"] == 56), "test_accuracy"] = [0.2, 0.5, 0.8]
        ax = plots.plot_accuracy_by_depth(depths)
        marks = [(mark.get_marker(), mark.get_ydata()[0]) for mark in by_gid(ax, "beyond")]
        assert marks == [("v", 0), ("^", 100)] and list(by_gid(ax, "interval:DIA")[1].get_ydata()) == [0, 100]
        half = stats.t.ppf(0.975, 2) * stats.sem([20, 50, 80])
        assert f"DIA at depth 56: 50.0 ± {half:.1f} %" in ax.get_xlabel()
        assert "arrowheads" not in plots.plot_accuracy_by_depth(depths[depths["depth"] != 56]).get_xlabel()

    def test_an_axis_that_leaves_out_0_says_so(self, depths):
        assert "does not start at 0" in plots.plot_accuracy_by_depth(depths).get_ylabel()
        depths.loc[0, "test_accuracy"] = 0.0
        assert "does not start at 0" not in plots.plot_accuracy_by_depth(depths).get_ylabel()

    def test_lost_runs_are_counted_below(self, depths):
        label = plots.plot_accuracy_by_depth(depths).get_xlabel()
        assert label.split("\n") == [
            "depth (layers); arms of one depth are shifted sideways to be seen",
            "lost at depth 56: plain 3 of 3",
            "lost at depth 110: plain 1 of 3",
        ]

    @pytest.mark.parametrize(
        ("y", "unit"), [("parameters", "parameters (number)"), ("seconds", "median training time of a run (s)")]
    )
    def test_cost_starts_at_zero_and_leaves_out_lost_runs(self, depths, y, unit):
        ax = plots.plot_cost_by_depth(depths, y=y)
        lines = {line.get_label(): line for line in by_gid(ax, "line")}
        finished = depths[(depths["arm"] == "plain") & (depths["status"] == "finished")]
        np.testing.assert_allclose(lines["plain"].get_ydata(), finished.groupby("depth")[y].median())
        assert list(lines["plain"].get_xdata()) == [20, 110]
        assert ax.get_ylabel() == unit and ax.get_ylim()[0] == 0

    def test_a_run_that_shared_the_machine_moves_no_line(self, depths):
        """The table of costs has medians: the figure beside it must not tell another story."""
        before = by_gid(plots.plot_cost_by_depth(depths, y="seconds"), "line")[1].get_ydata()
        depths.loc[(depths["arm"] == "DIA") & (depths["seed"] == 2), "seconds"] = 1000.0
        ax = plots.plot_cost_by_depth(depths, y="seconds")
        np.testing.assert_allclose(by_gid(ax, "line")[1].get_ydata(), before)
        assert by_gid(ax, "DIA")[0].get_offsets()[:, 1].max() == 1000
        assert "median over runs" in [text.get_text() for text in ax.get_legend().texts]

    def test_one_depth_and_one_seed_are_drawn(self, depths):
        one = depths[(depths["depth"] == 20) & (depths["seed"] == 0)]
        plots.plot_accuracy_by_depth(one).figure.draw_without_rendering()
        plots.plot_cost_by_depth(one).figure.draw_without_rendering()


class TestTraining:
    def test_a_panel_an_arm_with_quantiles_averaged_over_seeds(self, gates):
        figure = plots.plot_gate_training(gates)
        shown = [ax for ax in figure.axes if ax.get_visible()]
        assert [ax.get_title(loc="left") or ax.get_title() for ax in shown] == ["DIA", "SE per block", "tanh", "relu"]
        median = by_gid(shown[0], "median")[0]
        np.testing.assert_allclose(median.get_xydata(), [[0, 0.55], [1, 0.56], [2, 0.57]])
        wide = by_gid(shown[0], "q05-q95")[0].get_paths()[0].vertices[:, 1]
        assert (wide.min(), wide.max()) == pytest.approx((0.10, 1.02))
        assert to_hex(median.get_color()) == ARM_STYLES["DIA"].color
        figure.draw_without_rendering()

    def test_gradients_are_geometric_means_with_stage_borders(self, gradients):
        both = pd.concat([gradients.assign(seed=0), gradients.assign(seed=1, norm=100 * gradients["norm"])])
        ax = plots.plot_gradients(both)
        assert "band: lowest to highest seed" in ax.get_xlabel()
        assert "band" not in plots.plot_gradients(gradients).get_xlabel()
        line = next(line for line in by_gid(ax, "norm") if line.get_label() == "DIA")
        np.testing.assert_allclose(line.get_ydata(), 10.0 ** (np.arange(6) + 2))
        assert ax.get_yscale() == "log"
        assert [border.get_xdata()[0] for border in by_gid(ax, "border")] == [1.5, 3.5]
        assert {"stage 0", "stage 1", "stage 2", "plain", "DIA"} == set(texts(ax))

    def test_lines_that_lie_on_each_other_all_show_their_marks_and_a_part_of_the_line(self, gradients):
        same = gradients.assign(norm=1.0)
        lines = by_gid(plots.plot_gradients(same), "norm")
        first, second = (set(range(6)[line.get_markevery()[0] :: line.get_markevery()[1]]) for line in lines)
        assert first and second and not first & second
        assert [line.get_linestyle() for line in lines] == ["-", "--"]

    def test_norms_that_no_logarithm_has_are_shown_at_the_edges(self, gradients):
        gradients.loc[[0, 1], "norm"] = np.inf
        gradients.loc[2, "norm"] = 0.0
        ax = plots.plot_gradients(gradients)
        upper, lower = by_gid(ax, "off:plain")
        assert list(upper.get_xdata()) == [0, 1] and list(lower.get_xdata()) == [2]
        line = next(line for line in by_gid(ax, "norm") if line.get_label() == "plain")
        assert np.isnan(line.get_ydata()[:3]).all()
        assert [text.get_text() for text in ax.get_legend().texts] == ["not a finite number", "zero"]
        gradients.loc[gradients["arm"] == "plain", "norm"] = NAN
        plots.plot_gradients(gradients).figure.draw_without_rendering()


class TestOverview:
    def test_recipes_are_groups_whose_seeds_are_joined_within(self, recipes):
        ax = plots.plot_recipes(recipes)
        assert rows_of(ax) == ["plain", "DIA"] * 2
        assert {"official, best epoch", "strong, last epoch"} <= set(texts(ax))
        lines = by_gid(ax, "seed")
        assert len(lines) == 6
        np.testing.assert_allclose(lines[0].get_xdata(), [90, 91])
        np.testing.assert_allclose(lines[5].get_xdata(), [94.2, 95.2])
        assert "does not start at 0" in ax.get_xlabel()

    def test_an_interval_of_a_recipe_that_no_accuracy_can_have_ends_in_an_arrowhead(self, recipes):
        assert not by_gid(plots.plot_recipes(recipes), "beyond")
        recipes.loc[0, "accuracy"] = 0.5
        ax = plots.plot_recipes(recipes)
        assert by_gid(ax, "beyond") and ax.get_xlim()[1] <= 101
        assert ax.get_xlabel().endswith("arrowheads: beyond the axis")

    def test_a_lost_run_of_a_recipe_is_no_dot(self, recipes):
        recipes.loc[0, "accuracy"] = NAN
        ax = plots.plot_recipes(recipes)
        assert len(by_gid(ax, "plain")[0].get_offsets()) == 2
        assert any(text.endswith("n = 2") for text in texts(ax))

    def test_the_status_is_a_word_and_only_what_is_decided_is_filled(self, ledger):
        ax = plots.plot_ledger(ledger)
        assert [text.get_text() for text in by_gid(ax, "status")] == list(ledger["status"])
        marks = by_gid(ax, "estimate")
        np.testing.assert_allclose([mark.get_xdata()[0] for mark in marks], [0.3, 0.2, -8, 0.8])
        assert [mark.get_markerfacecolor() == "white" for mark in marks] == [False, True, False, True]
        # Neither yes nor no has a colour; what only illustrates is paler than both.
        assert marks[0].get_color() == marks[1].get_color() == marks[2].get_color() != marks[3].get_color()
        numbers = [text.get_text() for text in by_gid(ax, "numbers")]
        assert numbers[0] == "DIA - plain\n+0.3 [+0.1, +0.6], n = 24" and numbers[4] == "DIA - plain"
        assert ax.get_xlabel().endswith("depth 20; pale: the claim is about another setting")

    def test_scales_that_differ_stand_in_their_rows(self, ledger):
        ax = plots.plot_ledger(ledger.assign(scale=["depth 20"] * 4 + ["depth 38"], status="undecided"))
        assert [text.get_text().endswith("; depth 20") for text in by_gid(ax, "numbers")] == [True] * 4 + [False]
        assert "depth 20" not in ax.get_xlabel() and "pale" not in ax.get_xlabel()

    def test_the_side_of_the_claim_is_shaded(self, ledger):
        """So that a dot can be seen to lie where the claim puts it, in whatever sign the contrast is written."""
        patches = by_gid(plots.plot_ledger(ledger, xlim=(-3, 3)), "claimed")
        spans = [(round(p.get_y()), p.get_x(), p.get_x() + p.get_width()) for p in patches]
        assert spans == [(0, 0, 3), (1, -3, 0), (2, -1, 1), (3, -3, -1), (3, 1, 3), (4, -3, 1)]

    @pytest.mark.parametrize("expects", EXPECTATIONS)
    def test_every_expectation_has_a_side(self, ledger, expects):
        assert by_gid(plots.plot_ledger(ledger.assign(expects=expects)), "claimed")

    def test_the_key_holds_what_is_drawn(self, ledger):
        def key(frame):
            return [text.get_text().split(",")[0] for text in plots.plot_ledger(frame).get_legend().get_texts()]

        assert key(ledger) == ["claimed", "decided", "undecided", "illustration only"]
        assert key(ledger.iloc[3:]) == ["claimed", "illustration only"]

    def test_a_ledger_in_which_nothing_ran_is_words_only(self, ledger):
        nothing = ledger.assign(status="not yet run", estimate=None, low=None, high=None, n=None)
        ax = plots.plot_ledger(nothing)
        assert not by_gid(ax, "estimate") and not by_gid(ax, "interval")
        assert {text.get_text() for text in by_gid(ax, "numbers")} <= {"DIA - plain\ndepth 20", "DIA - plain"}

    def test_what_lies_beyond_the_axis_is_an_arrow_at_its_edge(self, ledger):
        ax = plots.plot_ledger(ledger.assign(high=[0.006, 0.05, -0.1, 0.02, NAN]), xlim=(-3, 3))
        marks = by_gid(ax, "estimate")
        assert [mark.get_marker() for mark in marks] == ["o", "o", "<", "o"]
        assert marks[2].get_xdata()[0] == -3
        ends = [(mark.get_marker(), mark.get_xdata()[0], mark.get_ydata()[0]) for mark in by_gid(ax, "beyond")]
        assert (">", 3, 1) in ends and ("<", -3, 2) in ends and not [end for end in ends if end[2] in (0, 3)]

    def test_a_status_that_nobody_defined_is_refused(self, ledger):
        with pytest.raises(DataError, match="confirmed"):
            plots.plot_ledger(ledger.assign(status="confirmed"))


def test_many_seeds_are_joined_by_thinner_lines_and_missing_ones_leave_gaps():
    rows = [
        {"arm": arm, "seed": seed, "status": "finished", "test_accuracy": 0.7 + 0.001 * seed}
        for arm, seeds in (("plain", 24), ("static per block", 12), ("DIA", 24))
        for seed in range(seeds)
    ]
    ax = plots.plot_arms(pd.DataFrame(rows))
    lines = by_gid(ax, "seed")
    assert len(lines) == 24 and np.isnan(lines[20].get_xdata()[1])
    few = by_gid(plots.plot_arms(pd.DataFrame(rows)[lambda frame: frame["seed"] < 4]), "seed")
    assert lines[0].get_linewidth() < few[0].get_linewidth()


def test_figures_draw_where_they_are_told(rates, phases, depths, gradients, recipes, ledger):
    for plot, frame in (
        (plots.plot_rates, rates),
        (plots.plot_phase, phases.iloc[:3]),
        (plots.plot_accuracy_by_depth, depths),
        (plots.plot_cost_by_depth, depths),
        (plots.plot_gradients, gradients),
        (plots.plot_recipes, recipes),
        (plots.plot_ledger, ledger),
    ):
        _, ax = plt.subplots()
        assert plot(frame, ax=ax) is ax


@pytest.mark.parametrize("name", ["rates", "phases", "depths", "gates", "gradients", "recipes", "ledger"])
def test_a_frame_without_a_column_is_refused_by_name(name, request):
    draw, column = {
        "rates": (plots.plot_rates, "val_accuracy"),
        "phases": (plots.plot_phases, "runs"),
        "depths": (plots.plot_accuracy_by_depth, "status"),
        "gates": (plots.plot_gate_training, "q95"),
        "gradients": (plots.plot_gradients, "stage"),
        "recipes": (plots.plot_recipes, "accuracy"),
        "ledger": (plots.plot_ledger, "scale"),
    }[name]
    with pytest.raises(DataError, match=f"lacks {column}"):
        draw(request.getfixturevalue(name).drop(columns=column))
