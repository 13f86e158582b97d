"""The command line: what it does, and that a wrong word is explained in one message without a traceback."""

import numpy as np
import pytest

from dianet_lab.analysis.judgement import assay_of, judge
from dianet_lab.config import RunConfig
from dianet_lab.studies.catalog import get_study
from dianet_lab.studies.rates import stored_runs
from dianet_lab.studies.store import RunStore


class TestTrain:
    def test_a_run_reports_its_accuracy_and_is_not_trained_twice(self, lab, tiny, tmp_path):
        (tmp_path / "run.yaml").write_text(tiny.to_yaml())
        code, out, _ = lab("train", str(tmp_path / "run.yaml"))
        assert code == 0 and "epoch 2/2" in out and "last epoch: " in out and "parameters" in out
        assert tiny.run_id in RunStore()
        code, out, _ = lab("train", str(tmp_path / "run.yaml"))
        assert code == 0 and "is in the store; it is not trained again" in out and "last epoch: " in out

    def test_without_a_name_it_is_the_dia_network_of_the_profile(self, lab):
        code, _, _ = lab("train", "--profile", "smoke", "--epochs", "1")
        (run_id,) = RunStore()
        assert code == 0 and run_id.startswith("resnet14-lstm-s0-")

    def test_fields_of_a_run_can_be_set(self, lab, tiny, tmp_path):
        (tmp_path / "run.json").write_text(tiny.to_json())
        code, _, _ = lab("train", str(tmp_path / "run.json"), "--set", "model.attention.unit=none", "--set", "seed=3")
        assert code == 0 and tiny.override({"model.attention.unit": "none", "seed": 3}).run_id in RunStore()

    def test_a_study_prints_its_summary(self, lab):
        code, out, _ = lab("train", "activation", "--profile", "smoke", "--epochs", "1", "--seeds", "1")
        assert code == 0 and "plain, gain 0.25" in out and "nan" not in out and "DEMONSTRATION" in out
        runs = stored_runs(get_study("activation", "smoke", epochs=1, seeds=1), RunStore())
        assert set(runs.rates) == set(runs.study.tuning.arms) and set(RunStore()) == set(runs.run_ids)
        words = " ".join(out.split())
        assert all(f"activation{part}" in words for part in (": 15 runs", ", tuning: 24 runs", ", own rates: 12 runs"))
        assert assay_of(runs).sentence() in out  # and the verdicts are those of the one rule
        verdicts = judge(runs, RunStore())["verdict"]
        assert set(verdicts) == {"undecided", "exploratory"}
        assert {verdict: out.count(verdict) for verdict in verdicts} == verdicts.value_counts().to_dict()

    def test_a_study_whose_runs_fail_ends_with_an_error_code(self, lab, monkeypatch):
        monkeypatch.setattr("dianet_lab.studies.work.train", lambda *a, **k: 1 / 0)
        code, out, _ = lab("train", "activation", "--profile", "smoke", "--seeds", "1")
        assert code == 1 and "failed: ZeroDivisionError" in out and "nan" not in out

    def test_a_diverged_run_is_a_result(self, lab, tiny, tmp_path):
        wild = tiny.override({"train.lr": 1e12, "train.momentum": 0.0, "train.epochs": 6})
        (tmp_path / "run.yaml").write_text(wild.to_yaml())
        code, out, _ = lab("train", str(tmp_path / "run.yaml"))
        assert code == 0 and "diverged: the loss became NaN or infinite in epoch" in out

    def test_a_folder_is_relative_to_where_the_user_stands(self, lab, tmp_path, monkeypatch):
        (tmp_path / "images").mkdir()
        monkeypatch.chdir(tmp_path)
        code, _, err = lab("train", "--data", "parquet:images")
        assert code == 2 and f"{tmp_path / 'images'} holds no .parquet file" in err


class TestErrors:
    @pytest.mark.parametrize(
        ("words", "says"),
        [
            (
                ["train", "shairng"],
                ["unknown study 'shairng'", "did you mean 'sharing'?", "or the path of a YAML file"],
            ),
            (["train", "--profile", "quik"], ["unknown profile 'quik'", "did you mean 'quick'?"]),
            (["train", "--data", "cifar"], ["DataConfig.source", "'cifar'", "'cifar10'"]),
            (["train", "--data", "parquet:nowhere"], ["nowhere"]),
            (["train", "--data", "cifar10"], ["no network", "place the official archive cifar-10-python.tar.gz"]),
            (["train", "--set", "model.atention.unit=se"], ["unknown configuration field", "model.attention.unit"]),
            (["train", "--set", "seed"], ["--set: got 'seed', expected NAME=VALUE"]),
            (["train", "--device", "gpu"], ["device 'gpu' can't be used here"]),
            (["train", "--device", "meta"], ["device 'meta' can't be used here"]),
            (["train", "--set", "data.source=parquet", "--set", "data.path=5"], ["DataConfig.path: got 5"]),
            (["train", "--set", "model.attention.sharing=6"], ["6 blocks of a stage have a unit", "'stage'"]),
            (["train", "--set", "model.attention.sharing=true"], ["AttentionConfig.sharing: got True"]),
            (["report", "01", "-p", "seeds"], ["--parameter: got 'seeds', expected NAME=VALUE"]),
            (["report", "01", "-p", "seeds=many"], ["parameter seeds: got 'many', expected Optional[int]"]),
            (["train", "--seeds", "3"], ["--seeds belongs to a study"]),
            (["train", "sharing", "--seeds", "0"], ["seeds: got 0"]),
            (["train", "sharing", "--set", "seed=1"], ["--set changes a single run"]),
            (["train", "--epochs", "0"], ["epochs"]),
            (["data", "cifar11"], ["cifar11"]),
            (["report", "--profile", "quik"], ["did you mean 'quick'?"]),
        ],
    )
    def test_are_one_message_for_the_user(self, lab, words, says):
        code, out, err = lab(*words)
        assert code == 2 and err.startswith("error: ") and "Traceback" not in out + err
        assert all(part in err for part in says), err
        assert not list(RunStore())

    def test_a_file_that_is_no_configuration_is_explained(self, lab, tmp_path):
        (tmp_path / "run.yaml").write_text("model: {depth: 21}")
        code, _, err = lab("train", str(tmp_path / "run.yaml"))
        assert code == 2 and "ModelConfig.depth: got 21" in err and "20 and 26" in err

    def test_odd_keys_are_unknown_fields(self, lab, tmp_path):
        (tmp_path / "run.yaml").write_text("model: {1: 2}")
        code, _, err = lab("train", str(tmp_path / "run.yaml"))
        assert code == 2 and "ModelConfig.1: unknown field" in err

    def test_a_folder_that_can_not_be_written_is_explained(self, lab, tmp_path, monkeypatch):
        (tmp_path / "file").write_text("")
        monkeypatch.setenv("DIANET_LAB_HOME", str(tmp_path / "file"))
        code, _, err = lab("train", "--profile", "smoke")
        assert code == 2 and "may you write there?" in err and "Traceback" not in err

    def test_a_binary_file_is_explained(self, lab, tmp_path):
        (tmp_path / "run.yaml").write_bytes(np.arange(256, dtype=np.uint8).tobytes())
        code, _, err = lab("train", str(tmp_path / "run.yaml"))
        assert code == 2 and err.startswith("error: ")

    def test_ctrl_c_says_that_the_work_is_kept(self, lab, tiny, tmp_path, monkeypatch):
        def stop(*args, **options):
            raise KeyboardInterrupt

        monkeypatch.setattr("dianet_lab.studies.work.train", stop)
        (tmp_path / "run.yaml").write_text(RunConfig(**tiny.model_dump()).to_yaml())
        code, _, err = lab("train", str(tmp_path / "run.yaml"))
        assert code == 130 and "goes on from the last checkpoints" in err
