"""``dianet-lab runs`` and ``plan``: what is there, whether it is whole, what can go, and what a study will cost."""

import subprocess
import sys

import pytest

from dianet_lab.studies.claims import Watch, try_claim
from dianet_lab.studies.state import CHECKPOINT, mark
from dianet_lab.studies.store import RunStore
from dianet_lab.studies.work import Order, carry_out
from dianet_lab.training.stop import Interrupted, Stop


class StopAfterTwoLooks(Stop):
    looks = 2

    def check(self):
        self.looks -= 1
        if self.looks < 0:
            raise Interrupted("SIGTERM")


@pytest.fixture
def runs(tiny):
    """A store with a finished, an interrupted, a failed and a damaged run, and their ids by state."""
    store, ids = RunStore(), {}
    for seed, state in enumerate(("finished", "interrupted", "failed", "damaged")):
        config = tiny.override({"seed": seed})
        ids[state], stop = config.run_id, StopAfterTwoLooks() if state == "interrupted" else Stop()
        try:
            if state != "failed":
                carry_out(Order.here(config, store, keep_weights=True), "cpu", stop)
        except Interrupted:
            pass
    (store.folder(ids["damaged"]) / "history.csv").write_text("epoch\n")
    store.folder(ids["failed"]).mkdir()
    (store.folder(ids["failed"]) / "config.json").write_text(tiny.override({"seed": 2}).to_json())
    mark(store.folder(ids["failed"]), "failed", "MemoryError: no room", attempts=3, traceback="File x, line 3")
    return ids


class TestList:
    def test_has_a_line_a_run_with_its_state_and_says_how_many_there_are(self, lab, runs):
        code, out, _ = lab("runs", "list")
        lines = {line.split()[0]: line for line in out.splitlines()}
        assert code == 0 and "4 runs in" in out and "1 interrupted, 1 finished, 1 failed, 1 damaged" in out
        assert " 2 epochs" in lines[runs["finished"]] and " % " in lines[runs["finished"]]
        assert "interrupted  stopped by SIGTERM after epoch 0, step 2 of the next" in lines[runs["interrupted"]]
        assert "failed       MemoryError: no room" in lines[runs["failed"]]
        assert "damaged      history.csv has 6 bytes instead of" in lines[runs["damaged"]]

    def test_can_be_narrowed(self, lab, runs):
        code, out, _ = lab("runs", "list", "--status", "failed", "--status", "damaged")
        assert code == 0 and {line.split()[1] for line in out.splitlines()[:2]} == {"damaged", "failed"}

    def test_of_an_unknown_state_or_an_empty_store_is_explained(self, lab):
        assert lab("runs", "list", "--status", "done")[2].startswith("error: unknown status 'done'")
        assert lab("runs", "list")[1].startswith("No runs in ")

    def test_of_a_run_that_is_trained_names_the_process(self, lab, tiny):
        with try_claim(RunStore().root, tiny.run_id, Watch()):
            code, out, _ = lab("runs", "list")
        assert code == 0 and f"{tiny.run_id}  running      process " in out

    def test_passes_over_what_is_no_run(self, lab, runs):
        (RunStore().root / "old-runs.bak").mkdir()
        assert "4 runs in" in lab("runs", "list")[1]

    def test_needs_no_pytorch(self, lab_home):
        code = "import sys; from dianet_lab.cli.runs import list_runs; list_runs(); assert 'torch' not in sys.modules"
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


class TestShow:
    def test_tells_what_was_asked_what_came_out_and_where(self, lab, runs):
        code, out, _ = lab("runs", "show", runs["finished"])
        assert code == 0 and "train_size: 40" in out and "test_accuracy: " in out and "machine:" in out

    def test_of_a_failed_run_tells_why(self, lab, runs):
        out = lab("runs", "show", runs["failed"])[1]
        assert "MemoryError: no room" in out and "attempts so far: 3" in out and "File x, line 3" in out
        assert f"Go on with: dianet-lab train {runs['failed']}" in out

    def test_gives_the_configuration_as_a_file_that_trains_the_same_run(self, lab, runs, tmp_path, tiny):
        (tmp_path / "run.yaml").write_text(lab("runs", "show", runs["finished"], "--config")[1])
        assert "is in the store" in lab("train", str(tmp_path / "run.yaml"))[1]

    def test_takes_the_beginning_of_an_id_if_it_is_enough(self, lab, runs):
        assert lab("runs", "show", runs["failed"][:20])[0] == 0
        assert "begins the ids of 4 runs" in lab("runs", "show", "resnet14")[2]
        assert "no run in" in lab("runs", "show", "resnet99")[2]

    @pytest.mark.parametrize("name", ["../../etc", "/etc/passwd", ".."])
    def test_does_not_leave_the_store(self, lab, runs, name):
        code, out, err = lab("runs", "show", name)
        assert code == 2 and "no run in" in err and not out

    def test_of_a_damaged_configuration_says_so(self, lab, runs):
        (RunStore().folder(runs["failed"]) / "config.json").write_bytes(b"\xff\xfe")
        code, out, _ = lab("runs", "show", runs["failed"])
        assert code == 0 and "config.json is damaged" in out and "MemoryError: no room" in out
        assert "since its config.json is damaged: name its study or its file" in lab("train", runs["failed"])[2]


class TestVerify:
    def test_names_the_damaged_run_and_what_is_wrong(self, lab, runs):
        code, out, _ = lab("runs", "verify")
        assert code == 1 and f"{runs['damaged']}: history.csv has 6 bytes" in out and "4 runs verified in" in out
        assert "1 damaged" in out and "With --aside" in out

    def test_moves_it_aside_if_told_so(self, lab, runs):
        code, out, _ = lab("runs", "verify", "--aside")
        assert code == 0 and "moved to " in out
        assert lab("runs", "verify")[0] == 0

    def test_reads_checkpoints_too(self, lab, runs):
        path = RunStore().folder(runs["interrupted"]) / CHECKPOINT
        path.write_bytes(path.read_bytes()[:-1])
        code, out, _ = lab("runs", "verify", runs["interrupted"])
        assert code == 1 and "checkpoint.bin is cut or damaged" in out


class TestPrune:
    def test_says_what_it_would_remove_and_removes_nothing(self, lab, runs):
        folder = RunStore().folder(runs["finished"])
        (folder / ".history.csv.0123.tmp").write_text("half")
        code, out, _ = lab("runs", "prune")
        assert code == 0 and "would remove" in out and ".history.csv.0123.tmp" in out
        assert (folder / ".history.csv.0123.tmp").exists()

    def test_removes_it_with_yes(self, lab, runs):
        folder = RunStore().folder(runs["finished"])
        (folder / ".history.csv.0123.tmp").write_text("half")
        assert "removed " in lab("runs", "prune", "--yes")[1]
        assert not (folder / ".history.csv.0123.tmp").exists() and runs["finished"] in RunStore()

    def test_removes_weights_and_keeps_the_results(self, lab, runs):
        lab("runs", "prune", "--weights", "--yes")
        store = RunStore()
        assert runs["finished"] in store and not store.has(runs["finished"], weights=True)
        assert len(store.history(runs["finished"])) == 2

    def test_removes_runs_of_a_state_and_no_others(self, lab, runs):
        lab("runs", "prune", "--status", "failed", "--yes")
        store = RunStore()
        assert not store.folder(runs["failed"]).exists() and store.folder(runs["interrupted"]).exists()

    def test_leaves_alone_what_is_trained(self, lab, runs):
        with try_claim(RunStore().root, runs["interrupted"], Watch()):
            assert runs["interrupted"] not in lab("runs", "prune", "--status", "interrupted", "--yes")[1]
        assert RunStore().folder(runs["interrupted"]).exists()

    def test_never_removes_finished_runs(self, lab, runs):
        code, _, err = lab("runs", "prune", "--status", "finished", "--yes")
        assert code == 2 and "got 'finished', expected one of failed, interrupted" in err


class TestGoingOn:
    def test_a_stored_run_goes_on_by_its_id(self, lab, runs):
        code, out, _ = lab("train", runs["interrupted"])
        assert code == 0 and "(interrupted: stopped by SIGTERM" in out and "last epoch: " in out

    def test_with_the_threads_and_the_weights_that_it_had(self, lab, tiny):
        store = RunStore()
        with pytest.raises(Interrupted):
            carry_out(Order.here(tiny, store, threads=2, keep_weights=False), "cpu", StopAfterTwoLooks())
        assert lab("train", tiny.run_id)[0] == 0
        assert store.manifest(tiny.run_id)["provenance"]["threads"] == 2
        assert not store.has(tiny.run_id, weights=True)

    def test_under_another_configuration_is_refused_with_the_difference(self, lab, runs):
        code, _, err = lab("train", runs["interrupted"], "--set", "train.epochs=9")
        assert code == 2 and "They differ in train.epochs (2 and 9)" in err and "another run" in err

    def test_with_its_weights_trains_a_finished_run_again_and_keeps_them(self, lab, tiny):
        store, config = RunStore(), tiny
        carry_out(Order.here(config, store), "cpu")
        before = store.manifest(config.run_id)
        assert lab("train", config.run_id, "--keep-weights")[0] == 0
        after = store.manifest(config.run_id)
        assert store.has(config.run_id, weights=True) and after["result"] == before["result"]

    def test_a_damaged_run_is_moved_aside_and_trained_again(self, lab, runs):
        code, out, _ = lab("train", runs["damaged"])
        assert code == 0 and "was damaged: history.csv has 6 bytes" in out and "trained again" in out


class TestPlan:
    def test_tells_runs_parameters_operations_time_and_disk(self, lab):
        code, out, _ = lab("plan", "activation", "--profile", "smoke", "--workers", "1")
        assert code == 0 and "30 runs, 30 of them not in the store" in out and "MACs" in out and "1 worker" in out

    def test_counts_the_trials_and_the_runs_at_own_rates(self, lab):
        out = " ".join(lab("plan", "activation", "--profile", "smoke", "--workers", "1")[1].split())
        tuned = 12  # the core arms, three of the contrast, and the one that holds the slope equal
        assert f"and up to {tuned * 2 * 1 + tuned * 2} to find and use each arm's own learning rate" in out

    def test_prints_how_many_seeds_the_primary_contrasts_need(self, lab):
        out = lab("plan", "activation", "--profile", "smoke", "--workers", "1")[1]
        assert "seeds that detect 1.5 times what matters with 80 % power after Holm over 8 contrasts" in out
        assert "seeds needed" in out and "seeds planned" in out and "no runs yet" in out and "nan" not in out
        row = next(line for line in out.splitlines() if "no runs yet" in line)
        assert "shape: sigmoid - tanh" in row

    def test_of_a_study_without_primary_contrasts_says_nothing_of_seeds(self, lab):
        assert "power" not in lab("plan", "depth", "--profile", "smoke", "--workers", "1")[1]

    def test_prints_the_study_as_a_file_that_is_the_same_study(self, lab, tmp_path):
        (tmp_path / "mine.yaml").write_text(lab("plan", "activation", "--profile", "smoke", "--yaml")[1])
        code, out, _ = lab("plan", str(tmp_path / "mine.yaml"), "--workers", "1")
        assert code == 0 and "activation: 30 runs" in out

    def test_of_a_single_run_is_refused(self, lab, tiny, tmp_path):
        (tmp_path / "run.yaml").write_text(tiny.to_yaml())
        code, _, err = lab("plan", str(tmp_path / "run.yaml"))
        assert code == 2 and "single run, expected a study" in err
