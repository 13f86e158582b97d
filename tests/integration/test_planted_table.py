"""The table of detections and false alarms: its rules, its counts, and its words."""

import pandas as pd
import pytest

from dianet_lab import plots
from dianet_lab.analysis.planted import BLOCKS, SOURCE, TARGET, TRUTHS
from dianet_lab.analysis.planted_methods import METHODS
from dianet_lab.analysis.planted_table import planted_trials, rates, rates_sentence, weakest_sentence
from dianet_lab.config import DataConfig
from dianet_lab.data.sources import load_data

FAST = [name for name, method in METHODS.items() if method.decides and name != "integration"]


@pytest.fixture(scope="module")
def parts():
    splits = load_data(DataConfig(train_size=100, test_limit=200), 0)
    return splits.test, splits.train


@pytest.fixture(scope="module")
def trials(parts):
    return planted_trials(*parts, seeds=1, methods=FAST)


@pytest.mark.parametrize("method", FAST)
def test_each_method_finds_what_is_planted_in_half_of_the_channels_and_nothing_else(method, trials):
    mine = trials[trials["method"] == method]
    assert mine["there"].any() and not mine["there"].all()
    wrong = mine[mine["found"] != mine["there"]]
    assert wrong.empty, wrong[["scenario", "item", "there", "found"]].to_string()


@pytest.mark.heavy
def test_integration_is_found_where_block_6_reads_block_2(parts):
    found = planted_trials(
        *parts, seeds=1, scenarios=["reads block 2 at block 6"], methods=["integration"], shares=(1.0,)
    ).set_index("item")
    assert found.loc[str((SOURCE, TARGET)), "found"] and found.loc[str((SOURCE, TARGET)), "there"]
    assert len(found) == 5 and found["there"].sum() == 1


@pytest.mark.parametrize("method", ["raw Pearson", "CKA", "KL"])
def test_readings_of_similarity_find_whole_copies(method, parts):
    """CKA cannot tell a copy from two layers that see the same image, as the null's do."""
    found = planted_trials(
        *parts, seeds=1, scenarios=["neighbours copy", "own squeeze"], methods=[method], shares=(1.0,)
    )
    assert found["there"].sum() == BLOCKS - 1 and found.loc[found["there"], "found"].all()
    assert method == "CKA" or not found.loc[~found["there"], "found"].any()


@pytest.mark.heavy
def test_a_permuted_layer_costs_a_regression_also_where_no_layer_looks_at_another():
    """All layers see the same image: that is why what falls when one is permuted shows no path."""
    splits = load_data(DataConfig(train_size=400, test_limit=400), 0)
    asked = {"scenarios": ["reads block 2 at block 6", "own squeeze"], "shares": (0.5,)}
    found = planted_trials(splits.test, splits.train, seeds=1, methods=["forest's map", "permuted, ridge"], **asked)
    assert found.loc[found["there"], "found"].all()
    null = found[found["scenario"] == "own squeeze"].groupby("method")["found"].mean()
    assert null["permuted, ridge"] > null["forest's map"] == 0


def test_regressions_are_not_asked_where_all_layers_are_copies(parts):
    assert planted_trials(*parts, seeds=1, scenarios=["neighbours copy"], methods=["forest's map"]).empty


def test_items_are_blocks_and_pairs_of_blocks(trials):
    counts = trials.groupby("method").size() / len(TRUTHS)
    assert counts["memory path"] == BLOCKS * (BLOCKS - 1) / 2 and counts["neighbours copy"] == BLOCKS - 1
    assert counts["answers to the image"] == BLOCKS and counts["clock"] == 1


def test_rates_count_what_is_there_and_what_is_not():
    trials = pd.DataFrame({"method": "m", "there": [True, True, False, False, False], "found": [1, 0, 1, 0, 0]})
    table = rates(trials.astype({"found": bool}))
    assert table.loc[0, ["there", "detected", "absent", "false alarms"]].tolist() == [2, 1, 3, 1]
    assert table.loc[0, "at least (%)"] == pytest.approx(1.3, abs=0.1) and table.loc[0, "at most (%)"] > 90
    caught, alarms = rates_sentence(table)
    assert caught == "Detected of what was planted: m 1 of 2 (at least 1.3 %)."
    assert alarms == "Found where nothing is: m 1 of 3 (at most 90.6 %)."


def test_the_share_down_to_which_four_of_five_are_detected_is_said():
    table = pd.DataFrame(
        {
            "method": [*"aaabbcd"],
            "share": [1, 0.5, 0.25, 1, 0.5, 0.25, 0.5],
            "there": 5,
            "detected": [5, 4, 1, 3, 5, 5, 4],
        }
    )
    assert weakest_sentence(table) == (
        "Of what was planted, four of five are still detected with 25 % of the channels (the fewest tried) by c, "
        "with 50 % of the channels by a and d, with no share tried by b."
    )


def test_detections_are_drawn_from_many_channels_to_few():
    frame = pd.DataFrame({"method": "a", "share": [1.0, 0.25], "rate": [100.0, 20.0]})
    ax = plots.plot_detections(frame)
    assert ax.lines[0].get_xdata().tolist() == [25, 100] and ax.lines[0].get_ydata().tolist() == [20, 100]
