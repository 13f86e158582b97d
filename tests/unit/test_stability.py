"""Stability: which cells count, what a run that diverged is worth, and that intervals and tests are the textbook's."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from dianet_lab.analysis import wording
from dianet_lab.analysis.stability import (
    EVERYWHERE,
    FINISHED,
    LEARNED,
    NO_CELL,
    SELECTED,
    by_cell,
    cells,
    failing,
    largest_rate,
    mcnemar,
    seed_means,
    stability_effects,
)
from dianet_lab.analysis.stability_words import (
    counts_sentence,
    drawn,
    limits_sentence,
    mcnemar_sentence,
    reach,
    reach_sentence,
    summary,
)
from dianet_lab.data.sources import load_data
from dianet_lab.errors import ConfigError, DataError
from dianet_lab.studies.catalog import get_study
from tests.frames import frame_of

LOST, STUCK, GOOD = "diverged", (0.1, 0.1), (0.8, 1.0)
"""A run that diverged, one that finished at chance, and one that learned: accuracies on test and training images."""


def runs(outcomes):
    """``{(condition, depth, rate): {arm: [outcome of seed 0, 1, ...]}}`` as a frame of the study."""
    rows = []
    for (condition, depth, rate), arms in outcomes.items():
        for arm, values in arms.items():
            for seed, value in enumerate(values):
                test, train = value if isinstance(value, tuple) else (np.nan, np.nan)
                status = "finished" if isinstance(value, tuple) else value
                row = {"arm": f"{condition}, depth {depth}, rate {rate:g}: {arm}", "seed": seed, "status": status}
                rows.append(row | {"test_accuracy": test, "train_accuracy": train})
    return pd.DataFrame(rows)


@pytest.fixture
def frame():
    """Without norm, plain learns in 4 of 4, 1 of 4 (2 diverged, 1 stuck) and 0 of 4 seeds; DIA in 4, 3 and 0."""
    return runs(
        {
            ("no norm", 20, 0.03): {"plain": [GOOD] * 4, "DIA": [GOOD] * 4},
            ("no norm", 20, 0.1): {"plain": [LOST, LOST, STUCK, GOOD], "DIA": [GOOD, GOOD, GOOD, LOST]},
            ("no norm", 20, 0.3): {"plain": [LOST] * 4, "DIA": [LOST, STUCK, LOST, LOST]},
        }
    )


class TestCells:
    def test_tell_what_finishes_from_what_learns(self, frame):
        table = cells(frame).set_index(["arm", "rate"])
        assert list(table.loc["plain", "finished"]) == [4, 2, 0] and list(table.loc["plain", "learned"]) == [4, 1, 0]
        assert list(table.loc["DIA", "finished"]) == [4, 3, 1] and list(table.loc["DIA", "learned"]) == [4, 3, 0]

    def test_a_run_that_diverged_is_worth_chance_and_survivors_stand_apart(self, frame):
        cell = cells(frame, chance=0.02).set_index(["arm", "rate"]).loc["plain", 0.1]
        assert cell["accuracy"] == pytest.approx((0.02 + 0.02 + 0.1 + 0.8) / 4)
        assert cell["survivors"] == 2 and cell["survivors_accuracy"] == pytest.approx(0.45)
        none = cells(frame).set_index(["arm", "rate"]).loc["plain", 0.3]
        assert none["accuracy"] == pytest.approx(0.1) and np.isnan(none["survivors_accuracy"])

    @pytest.mark.parametrize("outcome", [FINISHED, LEARNED])
    def test_intervals_are_wilsons(self, frame, outcome):
        for row in cells(frame, outcome).to_dict("records"):
            n, p, z = row["runs"], row[outcome] / row["runs"], stats.norm.ppf(0.975)
            centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
            half = z / (1 + z**2 / n) * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
            np.testing.assert_allclose((row["low"], row["high"]), (centre - half, centre + half), atol=1e-12)

    def test_technical_failures_and_missing_runs_say_nothing(self, frame):
        frame.loc[0, "status"], frame.loc[1, "status"] = "failed", "pending"
        assert cells(frame)["runs"].iloc[0] == 2

    def test_know_every_arm_of_the_study(self):
        study = get_study("stability", "digits")
        every = runs({}).reindex(columns=["arm", "seed", "status", "test_accuracy", "train_accuracy"])
        every = pd.DataFrame([{"arm": arm, "seed": config.seed} for arm, config in study.configs()]).assign(
            status="finished", test_accuracy=0.8, train_accuracy=1.0
        )
        table = cells(every)
        assert len(table) == len(study.arms) and set(table["runs"]) == {8}
        for row in by_cell(every).drop_duplicates(["condition", "depth", "rate", "arm"]).itertuples():
            config = study.config(f"{row.condition}, depth {row.depth}, rate {row.rate:g}: {row.arm}", 0)
            assert (config.model.depth, config.train.lr) == (row.depth, row.rate)

    def test_other_studies_and_outcomes_are_refused_by_name(self, frame):
        with pytest.raises(DataError, match="'plain': expected a name like 'no norm, depth 20, rate 0.1: DIA'"):
            cells(frame_of({"plain": [0.8]}).assign(train_accuracy=1.0))
        with pytest.raises(ConfigError, match="finishd"):
            cells(frame, "finishd")


class TestLargestRate:
    def test_is_the_largest_with_enough_runs(self, frame):
        found = largest_rate(cells(frame), 0.75).set_index("arm")["rate"]
        assert found["plain"] == 0.03 and found["DIA"] == 0.1
        assert (largest_rate(cells(frame), 0.8)["rate"] == 0.03).all()

    def test_four_of_five_are_eighty_per_cent(self):
        frame = runs({("no norm", 20, 0.1): {"plain": [GOOD] * 4 + [LOST]}})
        assert largest_rate(cells(frame))["rate"].item() == 0.1

    def test_none_is_nan_and_the_largest_tried_is_marked(self):
        frame = runs({("no skip", 8, 1): {"plain": [STUCK] * 2, "DIA": [LOST] * 2}})
        found = largest_rate(cells(frame)).set_index("arm")
        assert found.loc["plain", "edge"] and np.isnan(found.loc["DIA", "rate"]) and not found.loc["DIA", "edge"]
        assert np.isnan(largest_rate(cells(frame), outcome=LEARNED).set_index("arm").loc["plain", "rate"])
        told = limits_sentence(largest_rate(cells(frame)), "no skip", ["plain", "DIA"], "finish")
        assert told == "No skip, largest rate at which 80 % of the runs finish: at depth 8 plain 1 or more, DIA none."


class TestMcNemar:
    def test_counts_pairs_by_seed(self, frame):
        row = mcnemar(frame, "DIA", outcome=LEARNED).set_index("rate").loc[0.1]
        assert (row["pairs"], row["both"], row["only_arm"], row["only_other"], row["neither"]) == (4, 0, 3, 1, 0)
        assert row["p"] == pytest.approx(stats.binomtest(1, 4, 0.5).pvalue) and row["note"] == "plain fails here"

    def test_is_exact(self):
        """Six pairs that all point one way: 2 / 2^6."""
        frame = runs({("no norm", 20, 0.1): {"plain": [LOST] * 6, "DIA": [GOOD] * 6}})
        assert mcnemar(frame, "DIA")["p"].item() == pytest.approx(2 / 64)

    def test_is_not_made_where_plain_gets_there(self, frame):
        table = mcnemar(frame, "DIA").set_index("rate")
        assert np.isnan(table.loc[0.03, "p"]) and table.loc[0.03, "note"] == "plain does not fail here"
        assert table.loc[0.1, "note"] == "plain fails here"  # exactly half of its seeds
        assert table.loc[0.3, "p"] == 1

    def test_only_pairs_count(self, frame):
        kept = frame[~(frame["arm"].str.endswith("DIA") & (frame["seed"] == 0))]
        assert set(mcnemar(kept, "DIA")["pairs"]) == {3}
        assert set(mcnemar(frame, "r=16")["pairs"]) == {0}


class TestEffects:
    def test_average_the_cells_in_which_plain_does_not_learn(self, frame):
        row = stability_effects(frame).set_index("contrast").loc["no norm: DIA - plain"]
        plain = np.mean([[0.1, 0.1, 0.1, 0.8], [0.1] * 4], axis=0)
        dia = np.mean([[0.8, 0.8, 0.8, 0.1], [0.1] * 4], axis=0)
        assert row["estimate"] == pytest.approx((dia - plain).mean()) and row["n"] == 4
        assert row["sd"] == pytest.approx((dia - plain).std(ddof=1))
        assert (row["cells"], row["of_cells"], row["where"]) == (2, 3, SELECTED)
        assert row["verdict"] == "exploratory" and not row["primary"] and np.isnan(row["p_holm"])

    def test_everywhere_and_without_augmentation_all_cells_count(self, frame):
        assert stability_effects(frame, everywhere=True)["cells"].iloc[0] == 3
        other = frame.assign(arm=frame["arm"].str.replace("no norm", "no augmentation"))
        row = stability_effects(other).iloc[0]
        assert row["contrast"] == "no augmentation: DIA - plain" and (row["cells"], row["where"]) == (3, EVERYWHERE)

    def test_where_plain_always_learns_there_is_nothing_to_compare(self):
        frame = runs({("no skip", 20, 0.1): {"plain": [GOOD] * 3, "DIA": [LOST] * 3}})
        row = stability_effects(frame).iloc[0]
        assert row["n"] == 0 and row["cells"] == 0 and np.isnan(row["estimate"])
        assert row["reason"] == NO_CELL and (row["lost"], row["waiting"]) == (0, 0)
        assert stability_effects(frame, everywhere=True)["reason"].tolist() == [""]

    def test_chance_is_what_a_lost_run_is_worth(self):
        frame = runs({("no norm", 20, 0.1): {"plain": [LOST] * 3, "DIA": [GOOD] * 3}})
        assert stability_effects(frame, chance=0.01)["estimate"].iloc[0] == pytest.approx(0.79)

    def test_a_seed_without_all_counted_cells_is_left_out(self, frame):
        frame.loc[(frame["seed"] == 2) & frame["arm"].eq("no norm, depth 20, rate 0.3: DIA"), "status"] = "failed"
        assert stability_effects(frame)[["n", "lost", "waiting"]].iloc[0].tolist() == [3, 1, 0]
        frame.loc[frame["seed"] == 1, "status"] = "pending"
        assert stability_effects(frame)[["n", "lost", "waiting"]].iloc[0].tolist() == [2, 1, 1]

    def test_choosing_cells_flatters_against_plain_and_not_two_others(self):
        """Simulated without any difference between arms: each learns with probability one half."""
        random = np.random.RandomState(0)
        outcomes = {
            ("no norm", depth, 0.1): {
                arm: [GOOD if random.rand() < 0.5 else STUCK for _ in range(4)]
                for arm in ("plain", "DIA", "constant 0.25")
            }
            for depth in range(400)
        }
        estimates = stability_effects(runs(outcomes)).set_index("contrast")["estimate"]
        # Of the cells in which at most 2 of 4 learn, plain's share is 4/11: expected 0.7 * (1/2 - 4/11) = 0.095. What
        # should be 0 has standard deviations of up to 0.015.
        assert estimates["no norm: DIA - plain"] > 0.05
        assert abs(estimates["no norm: DIA - constant 0.25"]) < 0.05
        assert abs(stability_effects(runs(outcomes), everywhere=True)["estimate"].iloc[0]) < 0.05

    def test_names_are_those_of_the_ledger(self):
        study = get_study("stability", "smoke")
        rows = [{"arm": arm, "seed": c.seed} for arm, c in study.configs()]
        frame = pd.DataFrame(rows).assign(status="finished", test_accuracy=0.5, train_accuracy=0.2)
        names = set(stability_effects(frame)["contrast"])
        assert names >= {
            "no norm: DIA - plain", "no skip: DIA - plain", "no augmentation: DIA - plain", "no norm: r=16 - plain",
        }  # fmt: skip

    def test_a_figure_names_the_cells_that_count_below_each_contrast(self, frame):
        asked = stability_effects(frame)
        assert drawn(asked)["contrast"].iloc[0] == "no norm: DIA - plain\nwhere plain fails: 2 of 3 cells"
        every = stability_effects(frame, everywhere=True)
        assert drawn(every)["contrast"].iloc[0] == "no norm: DIA - plain\nall 3 cells"
        pd.testing.assert_frame_equal(drawn(asked).drop(columns="contrast"), asked.drop(columns="contrast"))

    def test_of_a_condition_with_a_single_arm_are_no_rows(self, frame):
        assert stability_effects(frame[frame["arm"].str.endswith("plain")]).empty

    def test_of_no_run_are_no_rows(self, frame):
        assert stability_effects(frame.assign(status="pending")).empty


class TestSeedMeans:
    def test_are_what_the_effects_are_made_of(self, frame):
        means = seed_means(frame, "no norm").pivot(index="seed", columns="arm", values="test_accuracy")
        assert (means["DIA"] - means["plain"]).mean() == pytest.approx(stability_effects(frame)["estimate"].iloc[0])


class TestWords:
    def test_count_where_something_can_be_seen(self, frame):
        table = reach(cells(frame))
        assert list(table.iloc[0]) == ["no norm", 3, 2, 2, 1, 1]
        assert failing(cells(frame), FINISHED) == [("no norm", 20, 0.1), ("no norm", 20, 0.3)]
        assert reach_sentence(table).endswith(
            "half of its seeds: no norm 2 (in 2 it does not even finish) of 3, and in 1 no arm does."
        )

    def test_sum_an_arm_over_its_cells(self, frame):
        row = summary(frame).set_index("arm").loc["plain"]
        assert (row["runs"], row["finish"], row["learn"], row["rate, depth 20"]) == (12, 6, 5, "0.03")
        assert row["accuracy (%)"] == pytest.approx(100 * (5 * 0.8 + 7 * 0.1) / 12)
        assert row["survivors only (%)"] == pytest.approx(100 * (5 * 0.8 + 0.1) / 6)

    def test_tell_tests_to_which_side(self):
        frame = runs({("no norm", 20, 0.1): {"plain": [LOST] * 6, "DIA": [GOOD] * 6}})
        assert "more often in 1 and less often in 0" in mcnemar_sentence(mcnemar(frame, "DIA", outcome=LEARNED), "DIA")
        fine = runs({("no norm", 20, 0.1): {"plain": [GOOD] * 6, "DIA": [LOST] * 6}})
        assert (
            mcnemar_sentence(mcnemar(fine, "DIA"), "DIA")
            == "Plain fails to learn nowhere, so DIA is tested in no cell."
        )

    def test_count_what_is_left_out(self, frame):
        assert counts_sentence(frame) == "Of 24 runs 14 finished and 10 diverged."
        frame.loc[0, "status"] = "failed"
        assert counts_sentence(frame).endswith("10 diverged; 1 failed or are missing and are left out.")

    def test_name_the_depth_that_ran(self):
        study = get_study("stability", "smoke")
        train = load_data(study.base.data, 0).train
        assert study.base.model.depth == 14 and "(ResNet-8 of basic blocks" in wording.scale_sentence(study, train)
        two = get_study("stability", "digits")
        assert "(ResNet-20 and ResNet-38, 30 epochs" in wording.scale_sentence(two, train)
