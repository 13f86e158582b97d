"""What a study will cost: counted, timed on a few steps, and told without a download."""

import math
import urllib.request
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dianet_lab.analysis.planning import spread_table
from dianet_lab.analysis.power import seeds_needed
from dianet_lab.config import DataConfig, ModelConfig, RunConfig, TrainConfig
from dianet_lab.data import stand_in
from dianet_lab.data.sources import load_data
from dianet_lab.data.stand_in import load_or_stand_in
from dianet_lab.errors import ConfigError, DataError
from dianet_lab.models import build_model, count_parameters
from dianet_lab.studies import pace
from dianet_lab.studies.catalog import STUDIES, get_study
from dianet_lab.studies.pace import Pace, measure_pace
from dianet_lab.studies.plan import COLUMNS, plan, totals
from dianet_lab.studies.rates import Runs
from dianet_lab.studies.study import Study
from dianet_lab.training import loop, trainer
from dianet_lab.training.checkpoint import Checkpoint
from dianet_lab.training.loop import train
from dianet_lab.training.snapshots import Snapshots, snapshot_epochs

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("a plan downloads nothing")

    monkeypatch.setattr(urllib.request, "urlopen", refuse)


@pytest.fixture
def timed(monkeypatch) -> list[RunConfig]:
    """The configurations that are timed, each of which takes one second a step and nothing for evaluation."""
    asked = []

    def measure(config, splits, device, threads):
        asked.append(config)
        return Pace(1.0, 0.0)

    monkeypatch.setattr("dianet_lab.studies.plan.measure_pace", measure)
    return asked


def every_run(study: Study) -> set[str]:
    return {config.run_id for _, config in study.configs()}


class TestRows:
    def test_there_is_one_an_arm_with_all_columns(self, tiny):
        study = Study("s", tiny, factors={"model.width": [4, 8]}, seeds=[0, 1, 2])
        table = plan(study, every_run(study), "cpu")
        assert tuple(table.columns) == COLUMNS
        assert list(table["arm"]) == list(study.arms)
        assert (table["runs"] == 3).all() and (table["missing"] == 3).all()
        assert (table[["epoch_seconds", "hours", "training_mb", "kept_mb"]] > 0).all(axis=None)
        assert (table["hours"] * 3600).to_numpy() == pytest.approx(3 * tiny.train.epochs * table["epoch_seconds"])

    def test_only_what_is_missing_costs_anything(self, tiny, timed):
        study = Study("s", tiny, factors={"model.width": [4, 8]}, seeds=[0, 1, 2])
        missing = {study.config("width=8", seed).run_id for seed in (1, 2)} | {"resnet20-lstm-s0-of-another-study"}
        table = plan(study, missing, "cpu").set_index("arm")
        assert table["missing"].to_dict() == {"width=4": 0, "width=8": 2}
        assert [config.model.width for config in timed] == [8]
        assert table["hours"]["width=4"] == table["kept_mb"]["width=4"] == 0
        assert pd.isna(table["epoch_seconds"]["width=4"])
        assert table["hours"]["width=8"] == pytest.approx(2 * 2 * 2 / 3600)  # runs, epochs, steps of a second

    def test_nothing_is_timed_where_nothing_is_missing(self, tiny, timed):
        table = plan(Study("s", tiny, arms={"a": {}}), [], "cpu")
        assert not timed and totals(table, 2) == (0, 0.0, 0.0)

    def test_a_network_is_timed_once_whatever_its_seeds_epochs_and_initial_values(self, tiny, timed):
        changes = {
            "a": {},
            "gain": {"model.branch_gain": 0.25},
            "long": {"train.epochs": 4},
            "rate": {"train.lr": 0.2},
            "wide": {"model.width": 8},
            "plain": {"model.attention.unit": "none"},
            "batch": {"train.batch_size": 10},
            "half": {"train.precision": "mixed"},
        }
        study = Study("s", tiny, arms=changes, seeds=[0, 1])
        told = []
        table = plan(study, every_run(study), "cpu", tell=told.append).set_index("arm")
        assert told == ["a", "wide", "plain", "batch", "half"] and len(timed) == 5
        assert table["hours"]["long"] == 2 * table["hours"]["a"] == table["hours"]["batch"]

    def test_other_images_are_timed_again(self, tiny, timed):
        base = tiny.override({"data.source": "cifar10", "data.val_size": 0, "data.test_limit": 100})
        base = base.override({"data.train_size": 200})
        study = Study("s", base, arms={"10": {}, "100": {"data.source": "cifar100"}})
        table = plan(study, every_run(study), "cpu")
        assert len(timed) == 2 and table["parameters"][1] > table["parameters"][0]

    def test_a_device_that_is_not_there_is_refused(self, tiny):
        study = Study("s", tiny, arms={"a": {}})
        with pytest.raises(ConfigError, match="device 'cuda:77'"):
            plan(study, every_run(study), "cuda:77")


class TestCounts:
    def test_are_those_of_the_published_networks(self, timed):
        study = get_study("sharing", "paper", train_size=100)
        arms = {arm: study.arms[arm] for arm in ("plain", "DIA")}
        study = replace(study, arms=arms, contrasts=(), arm_seeds={}, tuning=None)
        table = plan(study, every_run(study), "cpu").set_index("arm")
        assert table["parameters"].to_dict() == {"plain": 1_727_284, "DIA": 1_946_132}
        assert (
            table["MACs"]["plain"] == pytest.approx(0.25e9, rel=0.02) and table["MACs"]["DIA"] > table["MACs"]["plain"]
        )

    @pytest.mark.parametrize("profile", ["smoke"])
    @pytest.mark.parametrize("name", STUDIES)
    def test_are_those_of_the_networks_that_are_trained(self, timed, name, profile):
        study = get_study(name, profile)
        table = plan(study, every_run(study), "cpu").set_index("arm")
        for arm in study.arms:
            assert table["parameters"][arm] == count_parameters(build_model(study.config(arm, 0).model, 1, 10))

    def test_cifar_need_not_be_there_and_is_not_brought(self, timed, lab_home):
        study = get_study("vectors", "cifar10", data="cifar100")
        assert (plan(study, every_run(study), "cpu")["hours"] > 0).all()
        assert not list(lab_home.rglob("*"))


class TestFurther:
    """Trials, and runs at an arm's own learning rate, cost what the arm costs."""

    def test_runs_are_counted_and_timed_with_those_of_their_arm(self, tiny, timed):
        study = Study("s", tiny, factors={"model.width": [4, 8]}, seeds=[0, 1, 2], arm_seeds={"width=8": [0]})
        table = plan(study, [], "cpu", further={"width=8": 4}).set_index("arm")
        assert table["missing"].to_dict() == {"width=4": 0, "width=8": 4}
        assert table["runs"].to_dict() == {"width=4": 3, "width=8": 1 + 4}
        assert table["hours"]["width=8"] == pytest.approx(4 * 2 * 2 / 3600)  # runs, epochs, steps of a second


class TestSeedsNeeded:
    """From the spread of a contrast: over the study's own runs, else over those that chose the rates."""

    CONTRAST = "shape: sigmoid - tanh (main effect)"

    @pytest.fixture
    def runs(self, monkeypatch) -> Runs:
        """Of the study of activation: 4 trials at each rate; none of its own."""
        study = get_study("activation", "digits")
        frame = pd.DataFrame(
            [
                {"arm": arm, "seed": 1000 + seed, "rate": rate, "status": "finished"}
                | {"test_accuracy": 0.8 + (arm == "DIA") * 10 * rate * (seed - 1.5) / 100}
                for arm in study.tuning.arms
                for rate in study.tuning.rates
                for seed in range(4)
            ]
        )
        runs = Runs(study, self.own_of(study, 0), tried=frame, rates={})
        monkeypatch.setattr("dianet_lab.analysis.planning.stored_runs", lambda study, store: self.given or runs)
        self.given = None
        return runs

    @staticmethod
    def own_of(study: Study, finished: int) -> pd.DataFrame:
        rows = [
            {"arm": arm, "seed": seed, "status": "finished" if seed < finished else "pending"}
            | {"test_accuracy": 0.8 + (arm == "DIA") * seed / 100 if seed < finished else math.nan}
            for arm in study.arms
            for seed in study.seeds_of(arm)
        ]
        return pd.DataFrame(rows)

    def row(self, study, store) -> pd.Series:
        (row,) = spread_table(study, store).to_dict("records")
        assert row["contrast"] == self.CONTRAST
        return row

    def test_are_told_from_the_trials_at_the_common_rate_before_the_study_is_run(self, runs, store):
        row = self.row(runs.study, store)
        spread = 0.5 * np.std([-0.015, -0.005, 0.005, 0.015], ddof=1)
        assert (row["from"], row["n"], row["planned"]) == ("tuning runs", 4, 20)
        assert row["spread"] == pytest.approx(spread) and row["needs"] == seeds_needed(spread, 0.015, 8)
        assert row["detects"] == 0.015

    @pytest.mark.parametrize(("finished", "source"), [(2, "tuning runs"), (3, "its own runs"), (20, "its own runs")])
    def test_are_told_from_its_own_runs_as_soon_as_there_are_three(self, runs, store, finished, source):
        self.given = replace(runs, frame=self.own_of(runs.study, finished))
        row = self.row(runs.study, store)
        assert row["from"] == source and (source == "tuning runs" or row["n"] == finished)

    def test_are_not_known_without_runs(self, runs, store):
        self.given = replace(runs, tried=runs.tried.assign(status="pending"))
        row = self.row(runs.study, store)
        assert (row["from"], row["n"]) == ("no runs yet", 0) and math.isnan(row["needs"])

    def test_size_what_is_detected_by_what_matters(self, store):
        """A trend per doubling of r that matters at a quarter of a point is not sized for one and a half points."""
        rows = spread_table(get_study("reduction", "digits"), store).set_index("contrast")
        assert rows["detects"]["trend per doubling of r"] == pytest.approx(1.5 * 0.0025)

    @pytest.mark.parametrize("name", STUDIES)
    def test_are_told_for_the_primary_contrasts_only(self, name, store):
        study = get_study(name, "smoke")
        asked = [contrast.name for contrast in study.contrasts if contrast.primary]
        assert list(spread_table(study, store)["contrast"]) == asked


class TestDisk:
    @pytest.mark.parametrize("keep_weights, snapshots", [(False, ()), (True, ()), (True, (0, 1)), (False, (0, 1))])
    def test_is_what_a_stored_run_takes(self, store, timed, keep_weights, snapshots):
        config = RunConfig(
            model=ModelConfig(depth=14, width=8),
            data=DataConfig(train_size=40, val_size=20),
            train=TrainConfig(epochs=4, batch_size=20, eval_every=4),
        )
        splits, taken = load_data(config.data, 0), Snapshots(snapshot_epochs(4) if snapshots else [])
        outcome = train(config, splits, device=CPU, snapshots=taken)
        store.save(config, outcome, splits.test, {}, keep_weights=keep_weights or bool(snapshots))
        taken = sum(file.stat().st_size for file in store.folder(config.run_id).iterdir())
        study = Study("s", config, arms={"a": {}}, seeds=[0, 1], keep_weights=keep_weights, snapshots=snapshots)
        said = plan(study, every_run(study), "cpu")["kept_mb"][0] / 2
        assert 1e6 * said == pytest.approx(taken, rel=0.2)

    @pytest.mark.parametrize("snapshots", [(), (0,)])
    def test_is_that_of_two_checkpoints_while_a_run_is_trained(self, tmp_path, timed, snapshots):
        config = RunConfig(data=DataConfig(train_size=20, val_size=0), train=TrainConfig(epochs=4, batch_size=20))
        training = trainer.Training(config, load_data(config.data, 0), CPU)
        training.run_epoch()
        taken = Snapshots(snapshot_epochs(4) if snapshots else [])
        for epoch in range(4):
            taken(epoch, training.model)
        state = training.state() | {"snapshots": taken.taken}
        Checkpoint(tmp_path / "checkpoint.pt", config, 0).write(lambda: state)
        study = Study("s", config, arms={"a": {}}, snapshots=snapshots)
        said = plan(study, every_run(study), "cpu")["training_mb"][0]
        assert 1e6 * said == pytest.approx(2 * (tmp_path / "checkpoint.pt").stat().st_size, rel=0.2)


class TestTotals:
    tables = st.lists(
        st.tuples(st.integers(0, 6), st.floats(0.001, 100), st.floats(1, 50)), min_size=1, max_size=5
    ).map(
        lambda rows: pd.DataFrame(
            [
                {"missing": count, "hours": count * each, "training_mb": mb, "kept_mb": count * 0.5}
                for count, each, mb in rows
            ]
        )
    )

    @given(tables, st.integers(1, 8))
    def test_hours_are_shared_by_the_workers_but_no_run_is(self, table, workers):
        total = totals(table, workers)
        each = (table["hours"] / table["missing"]).max()  # NaN for arms without a missing run
        assert total.missing == table["missing"].sum()
        assert total.hours >= table["hours"].sum() / workers * (1 - 1e-9)
        if total.missing:
            assert each * (1 - 1e-9) <= total.hours <= max(each, table["hours"].sum() / workers) * (1 + 1e-9)
        assert totals(table, 1).hours == pytest.approx(table["hours"].sum())

    def test_disk_is_what_is_kept_and_the_largest_checkpoints_at_one_time(self):
        table = pd.DataFrame(
            {"missing": [2, 1, 0], "hours": [2, 1, 0], "training_mb": [5, 9, 99], "kept_mb": [4, 1, 0]}
        )
        assert totals(table, 1).mb == 5 + 9
        assert totals(table, 2).mb == 5 + 9 + 5
        assert totals(table, 16).mb == 5 + 9 + 5 + 5


class TestPace:
    @pytest.mark.parametrize(
        ("epochs", "eval_every", "val_size", "train_size"),
        [(1, 1, 0, 40), (5, 2, 20, 50), (4, 2, 10, 31), (3, 9, 0, 59)],
    )
    def test_counts_the_steps_and_the_evaluated_images_that_a_run_has(
        self, monkeypatch, epochs, eval_every, val_size, train_size
    ):
        config = RunConfig(
            model=ModelConfig(depth=8, width=2),
            data=DataConfig(train_size=train_size, val_size=val_size, test_limit=30),
            train=TrainConfig(epochs=epochs, batch_size=20, eval_every=eval_every, lr=0.01),
        )
        steps, images = [], []
        update, evaluate = trainer.Training.update, trainer.evaluate
        monkeypatch.setattr(trainer.Training, "update", lambda *args: steps.append(1) or update(*args))
        for module in (trainer, loop):
            monkeypatch.setattr(module, "evaluate", lambda *args: images.append(len(args[1])) or evaluate(*args))
        splits = load_data(config.data, 0)
        assert train(config, splits, device=CPU).status == "finished"
        assert Pace(1, 0).of_run(config, splits) == sum(steps)
        assert Pace(0, 1).of_run(config, splits) == sum(images)

    def test_a_larger_network_has_a_slower_one(self, tiny):
        splits = load_data(tiny.data, 0)
        networks = (tiny.override({"model.width": width}) for width in (4, 128))
        small, large = (measure_pace(config, splits, "cpu", 1) for config in networks)
        assert 0 < small.update < large.update and 0 < small.image < large.image

    def test_the_first_slow_steps_do_not_count(self, monkeypatch):
        seconds = iter([9.0, 4.0, 2.0, 2.1])
        clock = [0.0]
        monkeypatch.setattr(pace.time, "perf_counter", lambda: clock[0])

        def work():
            clock[0] += next(seconds)

        assert pace._fastest(work, least=2) == 2.0
        assert next(seconds, None) is None

    def test_what_takes_long_is_timed_twice_and_what_is_short_four_times(self, monkeypatch):
        clock = [0.0]
        monkeypatch.setattr(pace.time, "perf_counter", lambda: clock[0])
        for each, times in ((5.0, 2), (0.01, 4)):
            calls = []

            def work(each=each, calls=calls):
                calls.append(each)
                clock[0] += each

            assert pace._fastest(work, least=2) == pytest.approx(each) and len(calls) == times

    def test_the_thread_count_is_put_back(self, tiny):
        before = torch.get_num_threads()
        measure_pace(tiny, load_data(tiny.data, 0), "cpu", 2)
        assert torch.get_num_threads() == before


class TestStandIn:
    @pytest.mark.parametrize(("source", "classes"), stand_in.CLASSES.items())
    @pytest.mark.parametrize(
        ("options", "sizes"),
        [
            ({"val_size": 0}, (50_000, 0, 10_000)),
            ({}, (49_800, 200, 10_000)),
            ({"train_size": 1000, "val_size": 100, "test_limit": 500}, (1000, 100, 500)),
        ],
    )
    def test_has_the_shape_number_and_classes_of_cifar(self, source, classes, options, sizes):
        splits = load_or_stand_in(DataConfig(source=source, **options), 0)
        assert tuple(map(len, splits)) == sizes
        for part in splits:
            assert part.images.shape[1:] == (3, 32, 32) and part.images.dtype == torch.uint8
            assert part.num_classes == classes and part.labels.dtype == torch.int64
            assert not len(part) or part.labels.max() == classes - 1

    def test_trains_as_cifar_does(self, tiny):
        config = tiny.override({"data.source": "cifar100", "data.train_size": 100, "data.test_limit": 100})
        config = config.override({"data.val_size": 0})
        assert measure_pace(config, load_or_stand_in(config.data, 0), "cpu", 1).update > 0

    def test_other_data_are_what_they_are(self, tiny):
        found, expected = load_or_stand_in(tiny.data, 3), load_data(tiny.data, 3)
        assert all(torch.equal(one.images, other.images) for one, other in zip(found, expected, strict=True))

    @pytest.mark.parametrize(
        "options", [{"train_size": 60_000}, {"train_size": 50}, {"test_limit": 20_000}, {"train_size": 49_900}]
    )
    def test_sizes_that_cifar_could_not_give_are_refused(self, options):
        with pytest.raises(DataError, match="cifar100"):
            load_or_stand_in(DataConfig(source="cifar100", **options), 0)
