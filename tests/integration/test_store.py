"""The store: what is in it can be read back, what is damaged is seen, and nothing leaves its folder."""

import json

import pytest
import torch

from dianet_lab.data.sources import load_data
from dianet_lab.errors import LabError
from dianet_lab.studies.manifest import DamagedRun
from dianet_lab.studies.signed import SIGNATURE
from dianet_lab.studies.work import Order, carry_out
from dianet_lab.training.loop import train
from dianet_lab.training.stop import Interrupted, Stop


@pytest.fixture
def stored(store, tiny):
    """A store with one finished run."""
    carry_out(Order(tiny, store.root, keep_weights=True), "cpu")
    return store


class TestAFinishedRun:
    def test_can_be_read_back(self, stored, tiny):
        run_id = tiny.run_id
        assert list(stored) == [run_id] and run_id in stored
        assert stored.config(run_id) == tiny
        assert list(stored.history(run_id).epoch) == [1, 2]
        assert stored.manifest(run_id)["status"] == "finished"

    def test_its_model_predicts_what_was_stored(self, stored, tiny):
        test = load_data(tiny.data, tiny.seed).test
        kept = stored.predictions(tiny.run_id)
        with torch.no_grad():
            images = (test.images.float() / 255 - test.mean[:, None, None]) / test.std[:, None, None]
            probabilities = stored.load_model(tiny.run_id)(images).softmax(1)
        torch.testing.assert_close(kept["probability"].float(), probabilities, atol=2e-3, rtol=0)
        assert kept["index"].tolist() == test.index.tolist() and kept["label"].tolist() == test.labels.tolist()
        accuracy = (kept["prediction"] == kept["label"]).float().mean().item()
        assert accuracy == pytest.approx(stored.manifest(tiny.run_id)["result"]["test_accuracy"])

    def test_says_where_and_with_what_it_was_made(self, stored, tiny):
        made = stored.manifest(tiny.run_id)["provenance"]
        assert made["device"] == "cpu" and made["threads"] == 1 and "torch" in made["versions"]

    def test_reports_the_last_epoch_and_keeps_the_best_beside_it(self, store, tiny):
        splits = load_data(tiny.data, tiny.seed)
        outcome = train(tiny, splits, device=torch.device("cpu"))
        outcome.history[0]["test_accuracy"], outcome.history[1]["test_accuracy"] = 0.9, 0.4
        store.save(tiny, outcome, splits.test, {})
        result = store.manifest(tiny.run_id)["result"]
        assert (result["test_accuracy"], result["best_test_accuracy"], result["best_epoch"]) == (0.4, 0.9, 1)

    def test_is_not_trained_again(self, stored, tiny, monkeypatch):
        monkeypatch.setattr("dianet_lab.studies.work.train", lambda *a, **k: pytest.fail("trained again"))
        carry_out(Order(tiny, stored.root), "cpu")

    def test_leaves_no_checkpoint_and_no_temporary_file(self, stored, tiny):
        names = {path.name for path in stored.folder(tiny.run_id).iterdir()}
        assert names == {
            "config.json",
            "history.csv",
            "manifest.json",
            "predictions.safetensors",
            "weights.safetensors",
        }


class TestDamage:
    @pytest.mark.parametrize("name", ["history.csv", "weights.safetensors", "predictions.safetensors", "config.json"])
    def test_a_file_that_is_cut_or_missing_means_not_in_the_store(self, stored, tiny, name):
        path = stored.folder(tiny.run_id) / name
        path.write_bytes(path.read_bytes()[:-3])
        assert tiny.run_id not in stored
        path.unlink()
        assert tiny.run_id not in stored and list(stored) == []

    @pytest.mark.parametrize(
        "content",
        ["", "{", "[]", '{"format": 1}', '{"files": {}}', '{"format": 1, "files": []}', '{"format": 99, "files": {}}'],
    )
    def test_a_manifest_that_is_none_means_not_in_the_store(self, stored, tiny, content):
        (stored.folder(tiny.run_id) / "manifest.json").write_text(content)
        assert tiny.run_id not in stored

    def test_a_flipped_bit_is_seen_when_the_file_is_read(self, stored, tiny):
        path = stored.folder(tiny.run_id) / "weights.safetensors"
        content = bytearray(path.read_bytes())
        content[-1] ^= 1
        path.write_bytes(content)
        with pytest.raises(LabError, match="is damaged: weights.safetensors has not the SHA-256"):
            stored.load_model(tiny.run_id)

    def test_is_not_what_a_disk_does_that_is_away(self, stored, tiny, monkeypatch):
        def away(path):
            raise OSError(116, "Stale file handle", str(path))

        with monkeypatch.context() as patch:
            patch.setattr("dianet_lab.studies.manifest.Path.read_bytes", away)
            assert carry_out(Order(tiny, stored.root), "cpu").status == "no store"
            assert "can't be read now: Stale file handle" in stored.state(tiny.run_id).note
        assert tiny.run_id in stored and not (stored.root / "damaged").exists()

    def test_a_run_cut_before_its_manifest_is_trained_again(self, stored, tiny):
        (stored.folder(tiny.run_id) / "manifest.json").unlink()
        carry_out(Order(tiny, stored.root), "cpu")
        assert tiny.run_id in stored


class StopAfter(Stop):
    """Stops at the n-th look."""

    def __init__(self, looks):
        super().__init__()
        self.looks = looks

    def check(self):
        self.looks -= 1
        if self.looks < 0:
            raise Interrupted("a test")


def as_format_1(store, run_id):
    """The run as the first version of the lab has stored it: without a signature, and with a lock file beside it."""
    folder = store.folder(run_id)
    manifest = json.loads((folder / "manifest.json").read_text())
    del manifest[SIGNATURE], manifest["model"]["weights_sha256"]
    (folder / "manifest.json").write_text(json.dumps(manifest | {"format": 1}))
    (folder / ".lock").touch()


class TestAnOldStore:
    def test_is_read(self, stored, tiny):
        as_format_1(stored, tiny.run_id)
        assert list(stored) == [tiny.run_id] and stored.problem(tiny.run_id) is None
        assert len(stored.history(tiny.run_id)) == 2 and stored.load_model(tiny.run_id)

    def test_is_not_believed_without_its_signature_where_the_format_has_one(self, stored, tiny):
        path = stored.folder(tiny.run_id) / "manifest.json"
        manifest = json.loads(path.read_text())
        del manifest[SIGNATURE]
        path.write_text(json.dumps(manifest))
        with pytest.raises(DamagedRun, match="has not the SHA-256 that it says"):
            stored.manifest(tiny.run_id)

    def test_with_a_checkpoint_of_then_starts_that_run_anew(self, store, tiny):
        store.folder(tiny.run_id).mkdir(parents=True)
        (store.folder(tiny.run_id) / "checkpoint.pt").write_bytes(b"PK old")
        assert carry_out(Order(tiny, store.root), "cpu").status == "finished"
        assert not (store.folder(tiny.run_id) / "checkpoint.pt").exists()


class TestWeights:
    def test_are_kept_only_if_asked_for_and_known_by_their_hash_in_any_case(self, store, tiny):
        carry_out(Order(tiny, store.root), "cpu")
        assert tiny.run_id in store and not store.has(tiny.run_id, weights=True)
        known = store.manifest(tiny.run_id)["model"]["weights_sha256"]
        with pytest.raises(LabError, match="its study keeps none. `dianet-lab train .* --keep-weights`"):
            store.load_model(tiny.run_id)
        carry_out(Order(tiny, store.root, keep_weights=True), "cpu")
        assert store.manifest(tiny.run_id)["files"]["weights.safetensors"]["sha256"] == known

    def test_that_come_later_change_nothing_else(self, store, tiny):
        carry_out(Order(tiny, store.root), "cpu")
        before = store.manifest(tiny.run_id)
        carry_out(Order(tiny, store.root, keep_weights=True), "cpu")
        after = store.manifest(tiny.run_id)
        assert after["files"].pop("weights.safetensors") and after == before

    def test_can_be_fetched_in_two_sittings_and_the_finished_run_stays_what_it_is(self, store, tiny):
        order, epochs = Order(tiny, store.root, keep_weights=True), []
        carry_out(Order(tiny, store.root), "cpu")
        before = store.manifest(tiny.run_id)
        with pytest.raises(Interrupted):
            carry_out(order, "cpu", StopAfter(5))
        assert store.manifest(tiny.run_id) == before
        carry_out(order, "cpu", on_epoch=lambda row: epochs.append(row["epoch"]))
        assert epochs == [2] and store.has(tiny.run_id, weights=True)

    def test_that_do_not_fit_the_stored_result_move_it_aside_and_say_so(self, store, tiny, monkeypatch):
        carry_out(Order(tiny, store.root), "cpu")

        def otherwise(config, *args, **options):
            outcome = train(config, *args, **options)
            next(outcome.model.parameters()).data += 1e-6
            return outcome

        monkeypatch.setattr("dianet_lab.studies.work.train", otherwise)
        record = carry_out(Order(tiny, store.root, keep_weights=True), "cpu")
        assert "has other bits than before" in record.remarks[0]
        assert (store.root / "damaged" / f"{tiny.run_id}.1" / "manifest.json").exists()
        assert store.has(tiny.run_id, weights=True)

    def test_of_a_run_that_diverged_are_never_missed(self, store, tiny):
        wild = tiny.override({"train.lr": 1e12, "train.epochs": 6, "train.momentum": 0.0})
        carry_out(Order(wild, store.root), "cpu")
        assert store.has(wild.run_id, weights=True)


class TestNames:
    @pytest.mark.parametrize("name", ["../x", "a/b", "", ".", "..", "a-b/../../c", "resnet20"])
    def test_that_could_leave_the_store_are_refused(self, store, name):
        with pytest.raises(LabError, match="no run id"):
            store.folder(name)

    def test_of_runs_that_are_absent_say_so(self, store, tiny):
        with pytest.raises(LabError, match="is not in"):
            store.manifest(tiny.run_id)

    def test_are_readable_and_safe(self, tiny, store):
        assert tiny.run_id.startswith("resnet14-lstm-s0-")
        assert store.folder(tiny.run_id).parent == store.root


def test_a_diverged_run_is_in_the_store_without_predictions(store, tiny):
    wild = tiny.override({"train.lr": 1e12, "train.epochs": 6, "train.momentum": 0.0})
    carry_out(Order(wild, store.root), "cpu")
    assert store.manifest(wild.run_id)["status"] == "diverged"
    with pytest.raises(LabError, match="diverged"):
        store.predictions(wild.run_id)
    json.loads((store.folder(wild.run_id) / "manifest.json").read_text())
