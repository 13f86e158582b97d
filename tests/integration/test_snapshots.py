"""The weights that a run had on its way: which are kept, and that a kill, a stop or a later wish changes none."""

import hashlib
import os
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dianet_lab.config import RunConfig
from dianet_lab.data.sources import load_data
from dianet_lab.errors import ConfigError, LabError
from dianet_lab.models import build_model
from dianet_lab.studies import manifest as manifests
from dianet_lab.studies.execute import run_study
from dianet_lab.studies.manifest import DamagedRun, snapshots_of
from dianet_lab.studies.prune import prune_store
from dianet_lab.studies.signed import SIGNATURE
from dianet_lab.studies.store import RunStore
from dianet_lab.studies.study import Study
from dianet_lab.studies.verify import verify_run
from dianet_lab.studies.work import Order, carry_out
from dianet_lab.training.loop import train
from dianet_lab.training.snapshots import LOOKS, look_at, snapshot_epochs
from dianet_lab.training.stop import Interrupted, Stop
from dianet_lab.training.trainer import Training
from tests.reliability.tiny import in_process

EPOCHS = 6


class TestLooks:
    @given(st.integers(1, 1000))
    def test_are_at_the_start_and_the_end_and_not_many_between(self, epochs):
        looks = look_at(epochs)
        assert looks[0] == 0 and looks[-1] == epochs and len(looks) <= LOOKS
        assert looks == sorted(set(looks)) and snapshot_epochs(epochs) == looks[1:-1]

    def test_are_denser_where_training_moves_most(self):
        gaps = np.diff(look_at(100))
        assert (np.diff(gaps) >= 0).all() and look_at(3) == [0, 1, 2, 3]


@pytest.fixture
def config(tiny) -> RunConfig:
    return tiny.override({"train.epochs": EPOCHS, "model.attention.cells": 2})


@pytest.fixture
def kept(store, config) -> RunStore:
    """A store with one run and its snapshots, trained in one go."""
    carry_out(Order(config, store.root, snapshots=True), "cpu")
    return store


def weight_bits(store: RunStore, run_id: str) -> dict[str, str]:
    """SHA-256 of every file of weights, by name, from the files themselves."""
    files = store.folder(run_id).glob("*.safetensors")
    return {f.name: hashlib.sha256(f.read_bytes()).hexdigest() for f in files if not f.name.startswith("pred")}


class TestKept:
    def test_are_at_their_epochs_and_listed_with_size_and_hash(self, kept, config):
        files = kept.manifest(config.run_id)["files"]
        assert list(snapshots_of(files)) == [1, 2, 3, 4] and "snapshot-00004.safetensors" in files
        for name, digest in weight_bits(kept, config.run_id).items():
            assert files[name]["sha256"] == digest and files[name]["bytes"] > 1000

    def test_are_the_weights_of_a_training_that_ends_there(self, kept, config):
        """Of three epochs of six at a constant rate: what a run of three epochs ends with."""
        short = config.override({"train.epochs": 3})
        assert config.train.schedule == "step" and not config.train.milestones
        expected = train(short, load_data(short.data, short.seed), device=torch.device("cpu")).model.state_dict()
        found = kept.load_model(config.run_id, epoch=3).state_dict()
        assert all(torch.equal(found[name], value) for name, value in expected.items())

    def test_begin_with_the_initial_values_and_end_with_the_trained_ones(self, kept, config):
        assert kept.snapshot_epochs(config.run_id) == [0, 1, 2, 3, 4, 6]
        start, end = (kept.load_model(config.run_id, epoch=e).state_dict() for e in (0, EPOCHS))
        fresh, trained = build_model(config.model, 1, 10, config.seed), kept.load_model(config.run_id)
        assert all(torch.equal(start[name], value) for name, value in fresh.state_dict().items())
        assert all(torch.equal(end[name], value) for name, value in trained.state_dict().items())

    def test_of_another_epoch_are_refused_with_those_that_are_there(self, store, config):
        carry_out(Order(config, store.root, keep_weights=True), "cpu")
        assert store.snapshot_epochs(config.run_id) == [0, EPOCHS]
        with pytest.raises(
            LabError, match="has no weights of epoch 3, only of 0, 6; `dianet-lab train .* --snapshots`"
        ):
            store.load_model(config.run_id, epoch=3)

    def test_never_enter_the_run_id_and_change_no_result(self, kept, config, tmp_path):
        other = RunStore(tmp_path / "other")
        carry_out(Order(config, other.root, keep_weights=True), "cpu")
        names = ("weights.safetensors", "predictions.safetensors")
        mine, theirs = (store.manifest(config.run_id)["files"] for store in (kept, other))
        assert all(mine[name] == theirs[name] for name in names)
        assert kept.has(config.run_id, snapshots=True) and not other.has(config.run_id, snapshots=True)

    def test_of_a_run_that_diverged_are_never_missed(self, store, config):
        wild = config.override({"train.lr": 1e12, "train.momentum": 0.0})
        carry_out(Order(wild, store.root, snapshots=True), "cpu")
        assert store.manifest(wild.run_id)["status"] == "diverged" and store.has(wild.run_id, snapshots=True)


class StopAfter(Stop):
    """Stops at the n-th look."""

    def __init__(self, looks: int):
        super().__init__()
        self.looks = looks

    def check(self) -> None:
        self.looks -= 1
        if self.looks < 0:
            raise Interrupted("a test")


def die_at_epoch(epoch: int) -> None:
    """In a worker: SIGKILL itself in the middle of an epoch, when its first step has been checkpointed."""
    update = Training.update

    def counting(self, *batch):
        if self.epoch == epoch and self.step == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return update(self, *batch)

    Training.update = counting


def killed(order: Order, epoch: int) -> None:
    die_at_epoch(epoch)
    carry_out(order, "cpu")


class TestGoingOn:
    @pytest.mark.parametrize("looks", [1, 2, 3, 7, 12])
    def test_after_a_stop_gives_the_bytes_of_an_unbroken_run(self, kept, config, tmp_path, looks):
        store = RunStore(tmp_path / "broken")
        order = Order(config, store.root, snapshots=True)
        with pytest.raises(Interrupted):
            carry_out(order, "cpu", StopAfter(looks))
        carry_out(order, "cpu")
        assert weight_bits(store, config.run_id) == weight_bits(kept, config.run_id)

    @pytest.mark.heavy
    @pytest.mark.parametrize("epoch", [0, 1, 3, 5])
    def test_after_a_kill_gives_the_bytes_of_an_unbroken_run(self, kept, config, tmp_path, epoch):
        store = RunStore(tmp_path / "killed")
        order = Order(config, store.root, snapshots=True, checkpoint_every=0.0)
        process = in_process(killed, order, epoch)
        process.join()
        assert process.exitcode == -signal.SIGKILL and config.run_id not in store
        epochs = []
        carry_out(replace(order, patience=120.0), "cpu", on_epoch=lambda row: epochs.append(row["epoch"]))
        assert epochs[0] == epoch + 1, "it went on, and did not start anew"
        assert weight_bits(store, config.run_id) == weight_bits(kept, config.run_id)

    def test_of_a_run_that_began_without_them_starts_anew(self, kept, config, tmp_path):
        store, epochs = RunStore(tmp_path / "later"), []
        with pytest.raises(Interrupted):
            carry_out(Order(config, store.root, keep_weights=True), "cpu", StopAfter(12))
        order = Order(config, store.root, snapshots=True)
        record = carry_out(order, "cpu", on_epoch=lambda row: epochs.append(row["epoch"]))
        assert "begun without snapshots" in record.remarks[0] and "lacks those of epoch 1, 2" in record.remarks[0]
        assert epochs == [1, 2, 3, 4, 5, 6]
        assert weight_bits(store, config.run_id) == weight_bits(kept, config.run_id)

    def test_of_a_run_that_had_not_ended_an_epoch_without_them_just_goes_on(self, kept, config, tmp_path):
        store = RunStore(tmp_path / "early")
        with pytest.raises(Interrupted):
            carry_out(Order(config, store.root, keep_weights=True), "cpu", StopAfter(1))
        assert not carry_out(Order(config, store.root, snapshots=True), "cpu").remarks
        assert weight_bits(store, config.run_id) == weight_bits(kept, config.run_id)


class TestOfAFinishedRun:
    @pytest.mark.parametrize("weights", [False, True])
    def test_are_added_and_nothing_else_changes(self, store, config, weights):
        carry_out(Order(config, store.root, keep_weights=weights), "cpu")
        before = store.manifest(config.run_id)
        record = carry_out(Order(config, store.root, snapshots=True), "cpu")
        after = store.manifest(config.run_id)
        added = after["files"].keys() - before["files"].keys()
        assert record.trained and store.has(config.run_id, snapshots=True) and not record.remarks
        assert added - {"weights.safetensors"} == set(snapshots_of(after["files"]).values())
        for manifest in (before, after):
            for name in ("files", "format", SIGNATURE):
                manifest.pop(name, None)
        assert after == before

    def test_that_has_them_is_not_trained_again(self, kept, config, monkeypatch):
        monkeypatch.setattr("dianet_lab.studies.work.train", lambda *a, **k: pytest.fail("trained again"))
        for options in ({}, {"keep_weights": True}, {"snapshots": True}):
            assert not carry_out(Order(config, kept.root, **options), "cpu").trained

    def test_whose_weights_come_out_otherwise_is_moved_aside(self, store, config, monkeypatch):
        carry_out(Order(config, store.root, keep_weights=True), "cpu")

        def otherwise(config, *args, **options):
            outcome = train(config, *args, **options)
            next(outcome.model.parameters()).data += 1e-6
            return outcome

        monkeypatch.setattr("dianet_lab.studies.work.train", otherwise)
        record = carry_out(Order(config, store.root, snapshots=True), "cpu")
        assert "has other bits than before" in record.remarks[0] and store.has(config.run_id, snapshots=True)


class TestDamage:
    def test_of_one_is_seen_named_and_mended(self, kept, config):
        path = kept.folder(config.run_id) / "snapshot-00002.safetensors"
        content = bytearray(path.read_bytes())
        content[-1] ^= 1
        path.write_bytes(content)
        assert kept.has(config.run_id, weights=True) and not kept.has(config.run_id, snapshots=True)
        assert "snapshot-00002.safetensors was changed" in verify_run(kept, config.run_id).text
        with pytest.raises(DamagedRun, match="snapshot-00002.safetensors has not the SHA-256"):
            kept.load_model(config.run_id, epoch=2)
        record = carry_out(Order(config, kept.root, snapshots=True), "cpu")
        assert "was damaged: snapshot-00002" in record.remarks[0] and kept.has(config.run_id, snapshots=True)

    def test_a_missing_one_means_not_in_the_store(self, kept, config):
        (kept.folder(config.run_id) / "snapshot-00002.safetensors").unlink()
        assert config.run_id not in kept

    @pytest.mark.parametrize("name", ["../snapshot-00001.safetensors", "snapshot-1.safetensors", "snapshot-00001.bin"])
    def test_a_manifest_that_lists_another_file_is_not_believed(self, kept, config, name):
        folder = kept.folder(config.run_id)
        values = kept.manifest(config.run_id)
        about = {key: values[key] for key in ("status", "result", "provenance", "model")}
        manifests.write_manifest(folder, about, values["files"] | {name: manifests.listed(b"")})
        assert verify_run(kept, config.run_id).text == "manifest.json is incomplete"


class TestManifestFormat:
    def test_of_a_run_without_them_is_what_older_versions_of_the_lab_read(self, store, tiny, kept, config):
        carry_out(Order(tiny, store.root, keep_weights=True), "cpu")
        assert store.manifest(tiny.run_id)["format"] == 2 and kept.manifest(config.run_id)["format"] == 3


class TestPrune:
    def test_takes_them_with_the_weights_and_keeps_the_results(self, kept, config):
        before = kept.manifest(config.run_id)
        taken = list(prune_store(kept.root, [], weights=True, aside=False, remove=True))
        assert {path.name for path, _ in taken} == set(weight_names(before))
        assert not weight_bits(kept, config.run_id) and config.run_id in kept
        after = kept.manifest(config.run_id)
        assert after["result"] == before["result"] and after["format"] == 2
        carry_out(Order(config, kept.root, snapshots=True), "cpu")
        assert kept.manifest(config.run_id)["files"] == before["files"]

    def test_only_tells_of_them_without_being_told_to(self, kept, config):
        sizes = [size for _, size in prune_store(kept.root, [], weights=True, aside=False, remove=False)]
        assert len(sizes) == len(snapshot_epochs(EPOCHS)) + 1 and all(sizes) and kept.has(config.run_id, snapshots=True)


def weight_names(manifest: dict) -> list[str]:
    return ["weights.safetensors", *snapshots_of(manifest["files"]).values()]


class TestAStudy:
    def test_keeps_them_of_its_seeds_and_no_others(self, store, config):
        study = Study("s", config, arms={"DIA": {}}, seeds=[0, 1], keep_weights=True, snapshots=[1])
        run_study(study, store, workers=1)
        ids = [study.config("DIA", seed).run_id for seed in (0, 1)]
        assert [store.has(run_id, snapshots=True) for run_id in ids] == [False, True]
        assert all(store.has(run_id, weights=True) for run_id in ids)

    def test_fetches_those_that_its_stored_runs_lack(self, store, config, capsys):
        study = Study("s", config, arms={"DIA": {}}, seeds=[0, 1], keep_weights=True)
        run_study(study, store, workers=1)
        run_study(replace(study, snapshots=[0]), store, workers=1)
        assert "2 runs, 1 of them not in the store" in capsys.readouterr().out
        assert store.has(study.config("DIA", 0).run_id, snapshots=True)

    def test_refuses_those_of_a_seed_that_it_has_not(self, config):
        with pytest.raises(ConfigError, match=r"snapshots: got seed 7, expected some of \[0, 1\]"):
            Study("s", config, arms={"DIA": {}}, seeds=[0, 1], snapshots=[7])


class TestCommandLine:
    def test_trains_a_stored_run_again_for_them(self, lab, config):
        store = RunStore()
        carry_out(Order.here(config, store, keep_weights=True), "cpu")
        assert lab("train", config.run_id, "--snapshots")[0] == 0
        assert store.has(config.run_id, snapshots=True)

    def test_goes_on_with_them_where_a_run_had_them(self, lab, config):
        store = RunStore()
        with pytest.raises(Interrupted):
            carry_out(Order.here(config, store, snapshots=True), "cpu", StopAfter(7))
        code, out, _ = lab("train", config.run_id)
        assert code == 0 and store.has(config.run_id, snapshots=True) and "epoch 1/" not in out


def test_no_half_written_file_is_left(kept: RunStore, config):
    names = {path.name for path in Path(kept.folder(config.run_id)).iterdir()}
    assert names == {"manifest.json", *kept.manifest(config.run_id)["files"]}
