"""A study: in a pool or alone, in any order, killed and continued, the same result; and no run is done twice."""

import pandas as pd
import pytest

from dianet_lab.analysis.statistics import summarise
from dianet_lab.analysis.wording import casualties_sentence
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
    return {run_id: store.manifest(run_id)["model"]["weights_sha256"] for run_id in store}


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
        monkeypatch.setattr("dianet_lab.studies.work.train", lambda *a, **k: pytest.fail("trained again"))
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


def breaking(monkeypatch, breaks):
    """Let ``breaks(config)`` run before each training, in this process and in forked ones."""
    from dianet_lab.studies import work

    train = work.train

    def breaking_train(config, *args, **options):
        breaks(config)
        return train(config, *args, **options)

    monkeypatch.setattr(work, "train", breaking_train)


class TestLosses:
    def test_a_failing_run_is_a_row_and_the_others_go_on(self, study, store, monkeypatch, capsys):
        def no_room(config):
            if config.model.attention.unit == "none":
                raise MemoryError("no room")

        breaking(monkeypatch, no_room)
        frame = run_study(study, store, workers=1)
        assert list(frame.status) == ["finished", "failed"] * 2
        assert frame.error.iloc[1] == "MemoryError: no room" and frame.test_accuracy.isna().iloc[1]
        assert "plain, seed 0 failed: MemoryError: no room (3 attempts)" in capsys.readouterr().out
        state = store.state(frame.run_id.iloc[1])
        assert state.status == "failed" and state.note.startswith("MemoryError: no room")

    def test_an_error_that_passes_costs_nothing(self, study, store, monkeypatch, capsys):
        errors = iter([OSError("the disk was away")])

        def once(config):
            for error in errors:
                raise error

        breaking(monkeypatch, once)
        assert set(run_study(study, store, workers=1).status) == {"finished"}
        out = capsys.readouterr().out
        assert "DIA, seed 0: OSError: the disk was away; it is tried again" in out and "failed" not in out

    def test_an_error_of_the_users_is_not_tried_again(self, study, store, monkeypatch):
        tried = []

        def wrong(config):
            tried.append(config)
            raise LabError("this can't be")

        breaking(monkeypatch, wrong)
        frame = run_study(study, store, workers=1)
        assert len(tried) == 4 and set(frame.error) == {"this can't be"}

    def test_a_good_a_diverging_and_a_failing_arm_are_all_counted(self, tiny, store, monkeypatch):
        def fails(config):
            if config.seed and config.model.attention.unit == "se":
                raise ValueError("bad")

        breaking(monkeypatch, fails)
        wild = {"train.lr": 1e12, "train.epochs": 6, "train.momentum": 0.0}
        arms = {"good": {}, "wild": wild, "failing": {"model.attention.unit": "se"}}
        frame = run_study(Study("s", tiny, arms=arms, seeds=[0, 1, 2]), store, workers=1)
        counts = frame.groupby("arm").status.value_counts().to_dict()
        assert counts == {
            ("good", "finished"): 3,
            ("wild", "diverged"): 3,
            ("failing", "finished"): 1,
            ("failing", "failed"): 2,
        }
        summary = summarise(frame).set_index("arm")
        assert list(summary.loc[["good", "wild", "failing"], "diverged"]) == [0, 3, 0]
        assert list(summary.loc[["good", "wild", "failing"], "failed"]) == [0, 0, 2]
        assert "5 of 9 runs did not finish" in casualties_sentence(frame)

    def test_a_failed_run_is_tried_again(self, study, store, monkeypatch):
        with monkeypatch.context() as patch:
            patch.setattr("dianet_lab.studies.work.train", lambda *a, **k: 1 / 0)
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
