"""A study: in a pool or alone, in any order, killed and continued, the same result; and no run is done twice."""

import os
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest

from dianet_lab.config import DataConfig
from dianet_lab.errors import DataError, LabError
from dianet_lab.studies.execute import run_study
from dianet_lab.studies.frame import study_history
from dianet_lab.studies.store import RunStore
from dianet_lab.studies.study import Study

TIMES = ["seconds", "resumed_at"]


@pytest.fixture
def study(tiny) -> Study:
    """Two arms, two seeds."""
    return Study("s", tiny, arms={"DIA": {}, "plain": {"model.attention.unit": "none"}}, seeds=[0, 1])


def hashes(store):
    """The weights' SHA-256 of every run."""
    return {run_id: store.manifest(run_id)["files"]["weights.safetensors"]["sha256"] for run_id in store}


class TestResult:
    def test_is_one_tidy_row_a_run(self, study, store):
        frame = run_study(study, store, workers=1)
        assert list(frame.arm) == ["DIA", "plain"] * 2 and list(frame.seed) == [0, 0, 1, 1]
        assert set(frame.status) == {"finished"} and frame.test_accuracy.between(0, 1).all()
        assert list(frame.is_baseline) == [True, False] * 2
        assert frame.set_index("arm").loc["plain", "attention_parameters"].eq(0).all()
        assert len(study_history(study, store)) == 8

    def test_a_second_call_trains_nothing_and_returns_the_same(self, study, store, monkeypatch):
        first = run_study(study, store, workers=1)
        monkeypatch.setattr("dianet_lab.studies.execute.train", lambda *a, **k: pytest.fail("trained again"))
        pd.testing.assert_frame_equal(run_study(study, store), first)

    def test_another_study_reuses_the_runs_it_shares(self, study, store, tiny, capsys):
        run_study(study, store, workers=1)
        arms = {"DIA": {}, "SE": {"model.attention.unit": "se"}}
        run_study(Study("t", tiny, arms=arms, seeds=[0, 1]), store, workers=1)
        assert "t: 4 runs, 2 of them not in the store" in capsys.readouterr().out

    def test_says_before_it_starts_what_it_lacks_and_how_long_it_takes(self, study, store, capsys):
        run_study(study, store, workers=1)
        first = capsys.readouterr().out.splitlines()[0]
        assert first.startswith("s: 4 runs, 4 of them not in the store; about ") and "s a run" in first

    @pytest.mark.heavy
    def test_a_pool_gives_what_one_process_gives_to_the_bit(self, study, store, tmp_path, monkeypatch):
        alone = run_study(study, store, workers=1)
        monkeypatch.setattr("dianet_lab.studies.estimate.WORTH_A_POOL", 0)
        pool = RunStore(tmp_path / "pool")
        pooled = run_study(study, pool, workers=2)
        pd.testing.assert_frame_equal(pooled.drop(columns=TIMES), alone.drop(columns=TIMES))
        assert hashes(pool) == hashes(store)


class TestLosses:
    def test_a_failing_run_is_a_row_and_the_others_go_on(self, study, store, monkeypatch, capsys):
        from dianet_lab.studies import execute

        train = execute.train

        def breaks(config, *args, **options):
            if config.model.attention.unit == "none":
                raise MemoryError("no room")
            return train(config, *args, **options)

        monkeypatch.setattr(execute, "train", breaks)
        frame = run_study(study, store, workers=1)
        assert list(frame.status) == ["finished", "failed"] * 2
        assert frame.error.iloc[1] == "MemoryError: no room" and frame.test_accuracy.isna().iloc[1]
        assert "plain, seed 0 failed: MemoryError: no room" in capsys.readouterr().out

    def test_a_failed_run_is_tried_again(self, study, store, monkeypatch):
        with monkeypatch.context() as patch:
            patch.setattr("dianet_lab.studies.execute.train", lambda *a, **k: 1 / 0)
            assert set(run_study(study, store, workers=1).status) == {"failed"}
        assert set(run_study(study, store, workers=1).status) == {"finished"}

    def test_a_diverged_run_is_counted(self, tiny, store):
        wild = {"train.lr": 1e12, "train.epochs": 6, "train.momentum": 0.0}
        frame = run_study(Study("s", tiny, arms={"ok": {}, "wild": wild}, seeds=[0]), store, workers=1)
        assert list(frame.status) == ["finished", "diverged"] and frame.test_accuracy.isna().tolist() == [False, True]

    def test_missing_data_is_told_before_anything_runs(self, tiny, store):
        gone = DataConfig(source="parquet", path="nowhere", fingerprint="0" * 32)
        study = Study("s", tiny.model_copy(update={"data": gone}), arms={"DIA": {}}, seeds=[0])
        with pytest.raises(DataError, match="nowhere"):
            run_study(study, store)

    def test_workers_must_be_at_least_one(self, study, store):
        with pytest.raises(LabError, match="workers: got 0"):
            run_study(study, store, workers=0)


SCRIPT = """
import sys
from dianet_lab.config import RunConfig
from dianet_lab.studies import estimate
from dianet_lab.studies.execute import run_study
from dianet_lab.studies.store import RunStore
from dianet_lab.studies.study import Study

if __name__ == "__main__":
    estimate.WORTH_A_POOL = 0
    base = RunConfig.from_text(open(sys.argv[2]).read())
    study = Study("s", base, arms={"DIA": {}, "plain": {"model.attention.unit": "none"}}, seeds=range(4))
    run_study(study, RunStore(sys.argv[1]), workers=2, checkpoint_every=0)
"""


@pytest.mark.heavy
class TestKill:
    def test_minus_9_of_a_study_and_the_same_command_again_give_the_unbroken_result(self, tiny, tmp_path):
        base = tiny.override({"train.epochs": 20})
        (tmp_path / "study.py").write_text(SCRIPT)
        (tmp_path / "run.yaml").write_text(base.to_yaml())
        killed, whole = RunStore(tmp_path / "killed"), RunStore(tmp_path / "whole")

        def command(store):
            return [sys.executable, str(tmp_path / "study.py"), str(store.root), str(tmp_path / "run.yaml")]

        process = subprocess.Popen(command(killed), stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 120
        while len(list(killed)) < 2 and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait()
        finished = {run_id: (killed.folder(run_id) / "manifest.json").stat().st_mtime_ns for run_id in killed}
        assert 2 <= len(finished) < 8, "killed too late to tell anything"

        subprocess.run(command(killed), check=True, stdout=subprocess.DEVNULL)
        subprocess.run(command(whole), check=True, stdout=subprocess.DEVNULL)
        times = {run_id: (killed.folder(run_id) / "manifest.json").stat().st_mtime_ns for run_id in finished}
        assert times == finished, "a finished run was repeated"
        assert hashes(killed) == hashes(whole) and len(hashes(whole)) == 8

    def test_workers_end_with_a_killed_parent(self, tiny, tmp_path):
        (tmp_path / "study.py").write_text(SCRIPT)
        (tmp_path / "run.yaml").write_text(tiny.override({"train.epochs": 5000}).to_yaml())
        command = [sys.executable, str(tmp_path / "study.py"), str(tmp_path / "runs"), str(tmp_path / "run.yaml")]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 120
        while len(list((tmp_path / "runs").glob("*/checkpoint.pt"))) < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        children = [int(pid) for pid in _children(process.pid)]
        process.send_signal(signal.SIGKILL)
        process.wait()
        while any(_alive(pid) for pid in children) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert len(children) >= 2 and not any(_alive(pid) for pid in children)


def _children(pid):
    return subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True).stdout.split()


def _alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with open(f"/proc/{pid}/stat") as stream:
        return stream.read().rsplit(")", 1)[1].split()[0] != "Z"
