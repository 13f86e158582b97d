"""Gates of a study's networks, before and after training, and the comparisons drawn from them."""

import numpy as np
import pytest
import torch
import xarray as xr

from dianet_lab.analysis.gates import (
    gate_measures,
    gate_ranges,
    networks,
    per_network,
    reference_images,
    shown_images,
    stage_measures,
)
from dianet_lab.analysis.statistics import effects
from dianet_lab.data.batches import evaluation_batches
from dianet_lab.data.sources import load_data
from dianet_lab.studies.contrast import Contrast
from dianet_lab.studies.execute import run_study
from dianet_lab.studies.study import Study

LABELS = {"label": ("image", list("abcde") * 2)}
ARMS = {"DIA": {}, "tanh": {"model.attention.activation": "tanh"}}


@pytest.fixture
def study(tiny) -> Study:
    return Study("s", tiny.override({"model.width": 8}), arms=ARMS, seeds=[0, 1, 2], keep_weights=True)


@pytest.fixture
def trained(study, store):
    run_study(study, store, workers=1)
    return store


def test_a_network_sees_images_normalised_as_its_own_seed_does(study, trained):
    """Its accuracy on them is the one that was stored; with another seed's mean and deviation it would not be."""
    for which, model, images, _ in networks(study, trained, list(ARMS)):
        if which["when"] == "end":
            (batch, labels), result = (
                next(evaluation_batches(images, 50)),
                trained.manifest(model_id(study, which))["result"],
            )
            with torch.no_grad():
                assert (model(batch).argmax(1) == labels).float().mean().item() == pytest.approx(
                    result["test_accuracy"]
                )
            torch.testing.assert_close(images.mean, load_data(study.base.data, which["seed"]).train.mean)


def model_id(study, which):
    return study.config(which["arm"], which["seed"]).run_id


def test_the_deviation_of_signed_gates_is_a_share_of_their_size_not_of_a_mean_that_cancels():
    values = np.where(np.arange(40).reshape(10, 1, 4) % 2, 0.5, -0.5) * np.linspace(0.9, 1.1, 10)[:, None, None]
    (row,) = stage_measures([xr.DataArray(values, dims=("image", "block", "channel"), coords=LABELS | {"block": [0]})])
    assert abs(row["mean"]) < 1e-9 and row["relative"] == pytest.approx(row["spread"] / 0.5)


def test_many_test_images_are_cut_to_a_stratified_thousand(tiny, monkeypatch):
    monkeypatch.setattr("dianet_lab.analysis.gates.SHOWN", 30)
    shown = shown_images(tiny)
    assert len(shown) == 30 and torch.bincount(shown.labels).tolist() == [3] * 10


def test_means_and_norms_are_estimated_on_no_more_training_images_than_are_shown(tiny):
    few = tiny.override({"data.test_limit": 25})
    train, used = load_data(few.data, few.seed).train, reference_images(few)
    assert len(train) == 40 and len(used) == len(shown_images(few)) == 25
    # Images that are sorted by class give all classes too.
    shares = 25 / 40 * torch.bincount(train.labels, minlength=10)
    assert ((torch.bincount(used.labels, minlength=10) - shares).abs() < 1).all()
    torch.testing.assert_close(reference_images(tiny).images, train.images, rtol=0, atol=0)


def test_ranges_are_those_of_the_activation_before_and_after(study, trained):
    ranges = gate_ranges(networks(study, trained, list(ARMS))).set_index(["arm", "when", "seed"]).sort_index()
    assert len(ranges) == 12
    quantiles = ranges[["q05", "q25", "q50", "q75", "q95"]].to_numpy()
    assert (np.diff(quantiles) >= 0).all()
    assert ranges.loc[("DIA", "start")]["mean"].between(0.15, 0.35).all()
    assert ranges.loc[("tanh", "start")]["mean"].abs().lt(0.1).all() and (ranges.loc["tanh"]["q05"] < 0).all()
    assert not np.allclose(ranges.loc[("DIA", "start")], ranges.loc[("DIA", "end")])


def test_runs_that_the_store_lacks_are_left_out(study, trained):
    longer = Study("s", study.base, arms=ARMS, seeds=[0, 7], keep_weights=True)
    assert set(gate_ranges(networks(longer, trained, list(ARMS))).seed) == {0}


def test_measures_have_a_row_a_network_and_stage(study, trained):
    measures = gate_measures(networks(study, trained, list(ARMS)))
    assert len(measures) == 2 * 2 * 3 * 3 and measures.notna().all(axis=None)
    assert measures["class_share"].between(0, 1).all() and (measures["spread"] > 0).all()
    assert measures["correlation"].between(-1, 1).all()


def test_networks_are_compared_by_the_statistics_of_a_study(study, trained):
    measured = per_network(gate_measures(networks(study, trained, list(ARMS))))
    assert set(measured.arm) == {"DIA", "DIA, untrained", "tanh", "tanh, untrained"}
    table = effects(measured, [Contrast("trained - untrained", {"DIA": 1, "DIA, untrained": -1})], value="spread")
    by_arm = measured.pivot(index="seed", columns="arm", values="spread")
    assert table.n[0] == 3 and table.estimate[0] == pytest.approx((by_arm["DIA"] - by_arm["DIA, untrained"]).mean())
