"""Gates of a study's networks, before and after training, and the comparisons drawn from them."""

import numpy as np
import pytest

from dianet_lab.analysis.gates import gate_measures, gate_ranges, per_network
from dianet_lab.analysis.statistics import effects
from dianet_lab.data.sources import load_data
from dianet_lab.studies.execute import run_study
from dianet_lab.studies.study import Contrast, Study

ARMS = {"DIA": {}, "tanh": {"model.attention.activation": "tanh"}}


@pytest.fixture
def study(tiny) -> Study:
    return Study("s", tiny.override({"model.width": 8}), arms=ARMS, seeds=[0, 1, 2])


@pytest.fixture
def trained(study, store):
    run_study(study, store, workers=1)
    return store


@pytest.fixture
def images(study):
    return load_data(study.base.data, 0).test


def test_ranges_are_those_of_the_activation_before_and_after(study, trained, images):
    ranges = gate_ranges(study, trained, list(ARMS), images).set_index(["arm", "when", "seed"]).sort_index()
    assert len(ranges) == 12
    quantiles = ranges[["q05", "q25", "q50", "q75", "q95"]].to_numpy()
    assert (np.diff(quantiles) >= 0).all()
    assert ranges.loc[("DIA", "start")]["mean"].between(0.15, 0.35).all()
    assert ranges.loc[("tanh", "start")]["mean"].abs().lt(0.1).all() and (ranges.loc["tanh"]["q05"] < 0).all()
    assert not np.allclose(ranges.loc[("DIA", "start")], ranges.loc[("DIA", "end")])


def test_runs_that_the_store_lacks_are_left_out(study, trained, images):
    longer = Study("s", study.base, arms=ARMS, seeds=[0, 7])
    assert set(gate_ranges(longer, trained, list(ARMS), images).seed) == {0}


def test_measures_have_a_row_a_network_and_stage(study, trained, images):
    measures = gate_measures(study, trained, list(ARMS), images)
    assert len(measures) == 2 * 2 * 3 * 3 and measures.notna().all(axis=None)
    assert measures["class_share"].between(0, 1).all() and (measures["spread"] > 0).all()
    assert measures["correlation"].between(-1, 1).all()


def test_networks_are_compared_by_the_statistics_of_a_study(study, trained, images):
    networks = per_network(gate_measures(study, trained, list(ARMS), images))
    assert set(networks.arm) == {"DIA", "DIA, untrained", "tanh", "tanh, untrained"}
    table = effects(networks, [Contrast("trained - untrained", {"DIA": 1, "DIA, untrained": -1})], value="spread")
    by_arm = networks.pivot(index="seed", columns="arm", values="spread")
    assert table.n[0] == 3 and table.estimate[0] == pytest.approx((by_arm["DIA"] - by_arm["DIA, untrained"]).mean())
