"""Studies as YAML files: the same runs as in Python, and refusals that say what to mend."""

import inspect
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dianet_lab.config import RunConfig
from dianet_lab.errors import ConfigError, DataError
from dianet_lab.profiles import PROFILES, get_profile
from dianet_lab.strict_yaml import read_mapping
from dianet_lab.studies import files
from dianet_lab.studies.catalog import STUDIES, get_study
from dianet_lab.studies.contrast import Contrast
from dianet_lab.studies.export import study_to_yaml
from dianet_lab.studies.files import is_study, read_study
from dianet_lab.studies.find import find, find_study, study_names
from dianet_lab.studies.study import Study

ROOT = Path(__file__).resolve().parents[2]
QUICK = PROFILES["quick"]
TWO = "arms: {one: {}, two: {model.attention.cells: 2}}\n"


def runs(study: Study) -> list[tuple[str, str]]:
    return [(arm, config.run_id) for arm, config in study.configs()]


def said(study: Study) -> dict:
    """All that a study is, but its runs."""
    names = ("name", "seeds", "baseline", "contrasts", "threads", "keep_weights", "snapshots", "demonstration")
    tuning = study.tuning and tuple(map(list, (study.tuning.arms, study.tuning.rates, study.tuning.seeds)))
    arm_seeds = {arm: study.seeds_of(arm) for arm in study.arms}
    return {name: getattr(study, name) for name in names} | {"tuning": tuning, "arm_seeds": arm_seeds}


def refusal(text: str, **changes) -> str:
    with pytest.raises(ConfigError) as caught:
        read_study(text, **changes)
    return str(caught.value)


class TestFormat:
    def test_gives_the_runs_of_the_same_study_in_python(self):
        text = """
            name: cells
            base: {train: {epochs: 50}, data.train_size: 60}
            arms: {one: {}, two: {model: {attention: {cells: 2}}}, wide: {model.width: 32, model.attention: {cells: 2}}}
            factors: {model.attention.reduction: [8, 16], model: {width: [4]}}
            seeds: [0, 1, 5]
            baseline: two
            contrasts: {two - one: {weights: {two: 1, one: -1}, delta: 0.02}}
            threads: 2
            keep_weights: true
            snapshots: [5, 0]
        """
        study = Study(
            "cells",
            QUICK.base.override({"train.epochs": 50, "data.train_size": 60}),
            arms={
                "one": {},
                "two": {"model.attention.cells": 2},
                "wide": {"model.width": 32, "model.attention.cells": 2},
            },
            factors={"model.attention.reduction": [8, 16], "model.width": [4]},
            seeds=[0, 1, 5],
            baseline="two",
            contrasts=[Contrast("two - one", {"two": 1, "one": -1}, 0.02)],
            threads=2,
            keep_weights=True,
            snapshots=[5, 0],
            demonstration=True,
        )
        assert runs(read_study(text)) == runs(study)
        assert said(read_study(text)) == said(study)

    def test_what_is_left_out_is_the_profiles(self):
        for scale in PROFILES.values():
            study = read_study(f"profile: {scale.name}\n{TWO}", "mine")
            assert study.base == scale.base and study.seeds == tuple(range(scale.seeds))
            assert (study.name, study.threads, study.demonstration) == ("mine", scale.threads, scale.demonstration)
            assert study.baseline == "one" and [contrast.name for contrast in study.contrasts] == ["two - one"]
            assert not study.keep_weights
        assert runs(read_study(TWO)) == runs(read_study(f"profile: quick\n{TWO}"))

    def test_a_key_without_a_value_is_one_that_is_left_out(self):
        text = (
            "base:\n  train:\nseeds:\nfactors:\nbaseline:\ncontrasts:\narms:\n  one:\n  two: {model.attention.cells: 2}"
        )
        assert runs(read_study(text)) == runs(read_study(TWO))

    def test_seeds_are_a_count_or_a_list(self):
        assert read_study(f"{TWO}seeds: 3").seeds == (0, 1, 2)
        assert read_study(f"{TWO}seeds: [7, 3]").seeds == (7, 3)

    def test_snapshots_are_a_count_or_a_list_and_leave_with_their_seeds(self):
        assert read_study(f"{TWO}seeds: [7, 3]\nsnapshots: 1").snapshots == (7,)
        assert read_study(f"{TWO}seeds: 3\nsnapshots: [2, 0]").snapshots == (2, 0)
        assert read_study(f"{TWO}seeds: 3\nsnapshots: [2, 0]", seeds=1).snapshots == (0,)

    def test_numbers_may_be_written_with_an_exponent(self):
        study = read_study("arms: {a: {train.weight_decay: 1e-3}, b: {train.lr: 5E-2}}")
        assert study.config("a", 0).train.weight_decay == 0.001 and study.config("b", 0).train.lr == 0.05

    def test_an_arm_may_be_called_by_a_word_that_yaml_takes_for_something_else(self):
        study = read_study("arms: {no: {}, 1: {model.width: 4}, 1e-3: {train.lr: 1e-3}}\nbaseline: '1'")
        assert list(study.arms) == ["no", "1", "1e-3"] and study.baseline == "1"

    def test_relative_folders_of_data_lie_in_the_labs_folder(self, lab_home):
        (lab_home / "mine").mkdir()
        (lab_home / "mine" / "train-0.parquet").write_bytes(b"some")
        study = read_study(f"base: {{data: {{source: parquet, path: mine}}}}\n{TWO}")
        same = QUICK.base.override({"data.source": "parquet", "data.path": str(lab_home / "mine")})
        assert study.config("one", 0).run_id == same.run_id and study.base.data.path == "mine"

    def test_a_folder_that_is_not_there_is_an_error_of_data(self):
        with pytest.raises(DataError, match="base: .*nowhere"):
            read_study(f"base: {{data: {{source: parquet, path: nowhere}}}}\n{TWO}")

    def test_the_documented_one_is_one(self):
        text = inspect.getdoc(files).partition("::\n")[2].rpartition("\n\n")[0]
        study = read_study(text)
        assert {*read_mapping(text)} == {*files.StudyFile.model_fields}
        assert list(study.arms) == ["reduction=8, width=4", "reduction=16, width=4", "one cell", "two cells"]


class TestSeedsAndTuning:
    def test_an_arm_may_have_fewer_seeds_so_many_or_which(self):
        study = read_study(f"{TWO}seeds: [3, 5, 7]\narm_seeds: {{two: 2}}")
        assert study.seeds_of("one") == (3, 5, 7) and study.seeds_of("two") == (3, 5)
        assert read_study(f"{TWO}seeds: [3, 5, 7]\narm_seeds: {{two: [7]}}").seeds_of("two") == (7,)

    def test_no_arm_has_more_than_the_study(self):
        study = read_study(f"{TWO}seeds: 3\narm_seeds: {{one: 99, two: 2}}")
        assert study.seeds_of("one") == (0, 1, 2) and study.seeds_of("two") == (0, 1)

    def test_fewer_seeds_than_the_file_leave_each_arm_those_that_are_left(self):
        text = f"{TWO}seeds: 5\narm_seeds: {{one: 3, two: [0, 1, 4]}}"
        assert {arm: read_study(text, seeds=2).seeds_of(arm) for arm in ("one", "two")} == {
            "one": (0, 1),
            "two": (0, 1),
        }
        assert read_study(text, seeds=9).seeds_of("one") == (0, 1, 2)

    def test_tuning_tries_rates_with_seeds_of_its_own(self):
        tuning = read_study(f"{TWO}tuning: {{arms: [two], rates: [0.1, 3e-1], seeds: [50]}}").tuning
        assert (list(tuning.arms), list(tuning.rates), list(tuning.seeds)) == (["two"], [0.1, 0.3], [50])

    def test_seeds_of_a_tuning_are_those_that_the_catalogue_takes_if_none_are_given(self):
        usual = list(get_study("sharing", "digits").tuning.seeds)
        assert list(read_study(f"{TWO}tuning: {{arms: [two], rates: [0.1]}}").tuning.seeds) == usual
        assert list(read_study(f"{TWO}tuning: {{arms: [two], rates: [0.1], seeds: 2}}").tuning.seeds) == usual[:2]

    def test_nothing_is_tuned_if_nothing_is_said(self):
        assert read_study(TWO).tuning is None

    def test_what_is_asked_for_was_planned_and_more_extends_it(self):
        text = f"{TWO}seeds: 4"
        assert read_study(text).planned == 4 and not read_study(text).extended
        assert read_study(text, seeds=5).extended and not read_study(text, seeds=3).extended

    def test_contrasts_are_primary_unless_they_are_called_exploratory_and_may_have_rivals(self):
        text = f"""{TWO}contrasts:
            a: {{weights: {{one: 1, two: -1}}}}
            b: {{weights: {{one: 1, two: -1}}, primary: false, delta: 0.5}}
            c: {{weights: {{one: 1}}, best_of: [two]}}
        """
        assert list(read_study(text).contrasts) == [
            Contrast("a", {"one": 1, "two": -1}),
            Contrast("b", {"one": 1, "two": -1}, 0.5, primary=False),
            Contrast("c", {"one": 1}, best_of=["two"]),
        ]


class TestDemonstration:
    """It is one if the profile is, or if the study has fewer seeds, epochs or images than its profile."""

    @pytest.mark.parametrize("less", ["seeds: 4", "base: {train.epochs: 29}", "base: {data.train_size: 900}"])
    def test_less_than_the_profile_is_one(self, less):
        assert not read_study(f"profile: cifar10\n{TWO}").demonstration
        assert read_study(f"profile: cifar10\n{less}\n{TWO}").demonstration

    @pytest.mark.parametrize("more", ["seeds: 9", "base: {train.epochs: 60}", "base: {data.train_size: 20000}"])
    def test_more_than_the_profile_is_none(self, more):
        assert not read_study(f"profile: cifar10\n{more}\n{TWO}").demonstration

    def test_the_file_has_the_last_word_on_what_it_asks_for(self):
        assert not read_study(f"seeds: 2\ndemonstration: false\n{TWO}").demonstration
        assert read_study(f"profile: paper\ndemonstration: true\n{TWO}").demonstration

    def test_but_not_on_less_than_it_asks_for(self):
        text = f"profile: cifar10\nseeds: 4\ndemonstration: false\n{TWO}"
        assert not read_study(text, seeds=4).demonstration
        assert read_study(text, seeds=3).demonstration
        assert read_study(text, epochs=10).demonstration
        assert read_study(f"demonstration: true\n{text.replace('demonstration: false', '')}", seeds=99).demonstration


class TestChanges:
    """What the command line may change is changed as in a study of the catalogue."""

    TEXT = f"profile: paper\nbase: {{model.width: 8}}\nseeds: [3, 4]\n{TWO}"

    def test_a_profile_replaces_the_files_and_keeps_its_changes(self):
        study = read_study(self.TEXT, profile="digits")
        assert study.base == get_profile("digits").base.override({"model.width": 8})
        assert study.seeds == (3, 4) and study.threads == 1

    def test_seeds_replace_the_files(self):
        assert read_study(self.TEXT, seeds=3).seeds == (0, 1, 2)

    def test_epochs_stretch_the_schedule(self):
        assert read_study(self.TEXT, epochs=18).base.train.milestones == (6, 12)

    def test_data_and_their_number_change_the_base(self):
        study = read_study(self.TEXT, data="cifar10", train_size=500)
        assert (study.base.data.source, study.base.data.train_size, study.base.model.width) == ("cifar10", 500, 8)

    @pytest.mark.parametrize(
        ("change", "says"),
        [({"seeds": 0}, "seeds"), ({"profile": "quik"}, "'quick'"), ({"data": "cifar1"}, "'cifar10'")],
    )
    def test_what_does_not_fit_is_refused(self, change, says):
        assert says in refusal(self.TEXT, **change)


class TestRefusals:
    @pytest.mark.parametrize(
        ("text", "says"),
        [
            ("armss: {a: {}}", ["armss", "unknown field", "did you mean 'arms'?"]),
            ("seeds: 0", ["StudyFile.seeds", "got 0", "equal to 1", "list"]),
            ("seeds: true", ["StudyFile.seeds", "got True"]),
            ("seeds: [0, x]", ["StudyFile.seeds", "'x'"]),
            (f"seeds: [1, 1]\n{TWO}", ["seeds", "[1, 1]", "once"]),
            (f"seeds: []\n{TWO}", ["no seeds"]),
            ("threads: 0", ["StudyFile.threads", "got 0"]),
            ("keep_weights: perhaps", ["StudyFile.keep_weights", "'perhaps'"]),
            (f"{TWO}seeds: 3\nsnapshots: [7]", ["snapshots: seed 7 is none of the study's, [0, 1, 2]"]),
            ("profile: quik", ["unknown profile 'quik'", "did you mean 'quick'?"]),
            ("name: 3", ["StudyFile.name", "got 3", "quotes"]),
            ("baseline: true", ["StudyFile.baseline", "got True", "quotes"]),
            ("name: x", ["study 'x' has no arms"]),
            ("arms: 3", ["StudyFile.arms", "got 3"]),
            ("arms: {big: 3}", ["arm 'big'", "got 3", "model.width: 8"]),
            ("arms: {big: {model.widht: 3}}", ["arm 'big'", "'model.widht'", "did you mean 'model.width'?"]),
            ("arms: {big: {modle: {width: 3}}}", ["arm 'big'", "'modle.width'", "did you mean 'model.width'?"]),
            ("arms: {big: {model.width: {x: 3}}}", ["arm 'big'", "'model.width.x'", "did you mean 'model.width'?"]),
            ("arms: {big: {model: {width: 0}}}", ["arm 'big': ModelConfig.width: got 0"]),
            ("arms: {big: {model: 3}}", ["arm 'big': model: got 3", "its fields"]),
            ("arms: {big: {model: {width: 3}, model.width: 4}}", ["arm 'big'", "model.width is given twice"]),
            ("arms: {big: {seed: 3}}", ["arm 'big': seed", "a study has seeds"]),
            ("arms: {one: {}, same: {model.width: 8}}", ["'one' and 'same' are the same"]),
            ("arms:\n  big: {model.width: 3}\n  big: {model.width: 4}", ["line 3", "'big'", "line 2"]),
            ("base: 3", ["base: got 3"]),
            ("base: {train: {lrr: 1}}", ["base: ", "'train.lrr'", "did you mean 'train.lr'?"]),
            ("base: {train: {lr: -1}}", ["base: TrainConfig.lr: got -1"]),
            ("base: {seed: 3}", ["base: seed"]),
            ("factors: {model.width: 3}", ["factors: model.width: got 3", "list"]),
            ("factors: {model.width: []}", ["factors: model.width: got []", "list"]),
            ("factors: {model.widht: [3]}", ["factors: ", "did you mean 'model.width'?"]),
            (f"{TWO}baseline: tow", ["'tow'", "did you mean 'two'?"]),
            (f"{TWO}contrasts: {{c: {{}}}}", ["contrast 'c'", "no weights"]),
            (f"{TWO}contrasts: {{c: {{wieghts: {{}}}}}}", ["contrast 'c'", "did you mean 'weights'?"]),
            (f"{TWO}contrasts: {{c: {{weights: {{one: x}}}}}}", ["contrast 'c'", "weights", "'x'"]),
            (f"{TWO}contrasts: {{c: {{weights: {{one: 1}}}}}}", ["contrast 'c'", "sum to 0"]),
            (f"{TWO}contrasts: {{c: {{weights: {{one: 1, tow: -1}}}}}}", ["'tow'", "did you mean 'two'?"]),
            (f"{TWO}contrasts: {{c: {{weights: {{one: 1, two: -1}}, delta: 0}}}}", ["contrast 'c'", "delta"]),
            (f"{TWO}contrasts: {{c: {{weights: {{one: 1}}, best_of: [tow]}}}}", ["'tow'", "did you mean 'two'?"]),
            (f"{TWO}contrasts: {{c: {{weights: {{one: 1}}, best_of: two}}}}", ["contrast 'c'", "best_of", "'two'"]),
            (f"{TWO}contrasts: {{c: {{weights: {{one: 1}}, best_of: [one]}}}}", ["contrast 'c'", "its own rival"]),
            (
                f"{TWO}contrasts: {{c: {{weights: {{one: 1, two: -1}}, best_of: [two]}}}}",
                ["contrast 'c'", "sum to 1", "best_of"],
            ),
            (f"{TWO}contrasts: {{c: {{weights: {{one: 1, two: -1}}, primary: maybe}}}}", ["contrast 'c'", "primary"]),
            (f"{TWO}contrasts: {{c: {{weights: {{one: 1, two: -1}}, primray: no}}}}", ["did you mean 'primary'?"]),
            (f"{TWO}arm_seeds: {{tow: 2}}", ["'tow'", "did you mean 'two'?"]),
            (f"{TWO}arm_seeds: {{two: 0}}", ["arm_seeds", "got 0"]),
            (f"{TWO}arm_seeds: {{two: many}}", ["arm_seeds", "'many'"]),
            (f"{TWO}arm_seeds: {{two: []}}", ["arm 'two'", "got seeds []", "expected some of"]),
            (f"{TWO}arm_seeds: {{two: [1, 7]}}\nseeds: 3", ["arm_seeds", "'two'", "seed 7", "[0, 1, 2]"]),
            (f"{TWO}arm_seeds: 3", ["StudyFile.arm_seeds", "got 3"]),
            (f"{TWO}tuning: 3", ["StudyFile.tuning", "got 3"]),
            (f"{TWO}tuning: {{}}", ["tuning: it has no arms", "expected a list"]),
            (f"{TWO}tuning: {{arms: [one]}}", ["tuning: it has no rates", "expected a list"]),
            (f"{TWO}tuning: {{arms: [one], rate: [0.1]}}", ["tuning", "did you mean 'rates'?"]),
            (f"{TWO}tuning: {{arms: [one], rates: [0]}}", ["tuning", "rates", "got 0"]),
            (f"{TWO}tuning: {{arms: [one], rates: [0.1, 0.1]}}", ["tuning", "rates", "each once"]),
            (f"{TWO}tuning: {{arms: [tow], rates: [0.1]}}", ["'tow'", "did you mean 'two'?"]),
            (f"{TWO}tuning: {{arms: [one], rates: [0.1], seeds: 0}}", ["tuning", "seeds", "got 0"]),
            (f"{TWO}tuning: {{arms: [one], rates: [0.1], seeds: [1, 9]}}", ["seed 1 is for tuning"]),
            (
                f"base: {{data.val_size: 0}}\n{TWO}tuning: {{arms: [one], rates: [0.1]}}",
                ["validation images", "data.val_size"],
            ),
        ],
    )
    def test_name_the_place_the_value_and_what_is_expected(self, text, says):
        message = refusal(text)
        for part in says:
            assert part in message

    def test_two_mistakes_are_two_lines(self):
        lines = refusal("sedes: 3\nthreads: 0").splitlines()
        assert len(lines) == 2 and "threads" in lines[0] + lines[1] and "did you mean 'seeds'?" in lines[0] + lines[1]

    def test_every_line_about_an_arm_names_it(self):
        lines = refusal("arms: {big: {model.width: 0, model.depth: 0}}").splitlines()
        assert len(lines) == 2 and all(line.startswith("arm 'big': ModelConfig.") for line in lines)


words = st.text(min_size=1, max_size=20)


class TestWriting:
    @pytest.mark.parametrize("profile", PROFILES)
    @pytest.mark.parametrize("name", STUDIES)
    def test_every_study_of_the_catalogue_reads_back_at_every_scale(self, name, profile):
        study = get_study(name, profile)
        again = read_study(study_to_yaml(study))
        assert runs(again) == runs(study)
        assert said(again) == said(study)

    @settings(max_examples=25)  # a study of the catalogue has up to a thousand runs
    @given(
        name=st.sampled_from(list(STUDIES)),
        profile=st.sampled_from(["smoke", "quick", "cifar10", "paper"]),
        seeds=st.integers(1, 9),
        epochs=st.integers(1, 300),
        train_size=st.none() | st.integers(10, 20_000),
        data=st.sampled_from([None, "digits", "cifar100"]),
        demonstration=st.booleans(),
    )
    def test_so_does_a_changed_one(self, name, profile, demonstration, **changes):
        study = replace(get_study(name, profile, **changes), demonstration=demonstration)
        again = read_study(study_to_yaml(study))
        assert runs(again) == runs(study)
        assert said(again) == said(study)

    @given(
        name=words,
        arms=st.lists(words, min_size=2, max_size=4, unique=True),
        seeds=st.lists(st.integers(0, 2**40), min_size=1, max_size=4, unique=True),
        weight=st.floats(0.001, 5),
        delta=st.floats(1e-6, 1),
        contrast=words,
    )
    def test_so_does_one_with_any_names_and_numbers(self, name, arms, seeds, weight, delta, contrast):
        study = Study(
            name,
            RunConfig(),
            arms={arm: {"model.width": 4 + number} for number, arm in enumerate(arms)},
            seeds=seeds,
            baseline=arms[1],
            contrasts=[Contrast(contrast, {arms[0]: weight, arms[1]: -weight}, delta)],
            threads=3,
        )
        again = read_study(study_to_yaml(study))
        assert runs(again) == runs(study)
        assert said(again) == said(study)

    def test_the_arms_of_factors_keep_their_names(self):
        study = Study("s", QUICK.base, factors={"train.milestones": [(3, 5), ()], "train.schedule": ["step"]})
        assert runs(read_study(study_to_yaml(study))) == runs(study)

    def test_only_what_differs_from_the_nearest_profile_is_written(self):
        values = read_mapping(study_to_yaml(get_study("sharing", "paper")))
        assert values["profile"] == "paper" and "base" not in values and "threads" not in values
        values = read_mapping(study_to_yaml(get_study("sharing", "quick", train_size=50)))
        assert values["profile"] == "quick" and values["base"] == {"data": {"train_size": 50}}

    def test_data_may_be_elsewhere_when_it_is_read(self, tmp_path):
        (tmp_path / "train-0.parquet").write_bytes(b"some")
        study = get_study("sharing", "cifar10", data=f"parquet:{tmp_path}")
        text = study_to_yaml(study)
        (tmp_path / "train-0.parquet").unlink()
        assert runs(read_study(text)) == runs(study)


class TestKind:
    @pytest.mark.parametrize("key", files.StudyFile.model_fields)
    def test_a_study_has_keys_of_its_own(self, key):
        assert is_study({key: None})

    @pytest.mark.parametrize("key", RunConfig.model_fields)
    def test_so_has_a_single_run(self, key):
        assert not is_study({key: None})

    def test_a_mix_is_refused_with_the_keys_of_both(self):
        with pytest.raises(ConfigError, match=r"study \(arms\) and a single run \(model, seed\).*under base"):
            is_study({"model": {}, "arms": {}, "seed": 1})

    def test_unknown_keys_alone_get_the_closest(self):
        with pytest.raises(ConfigError, match="'modle' .did you mean 'model'"):
            is_study({"modle": {}})


@pytest.fixture
def studies(lab_home) -> Path:
    folder = lab_home / "studies"
    folder.mkdir()
    (folder / "cells.yaml").write_text(TWO)
    return folder


class TestFinding:
    def test_a_name_is_a_study_of_the_catalogue(self):
        for name in STUDIES:
            assert runs(find(name, profile="smoke")) == runs(get_study(name, "smoke"))

    def test_or_a_file_of_the_labs_studies_wherever_one_stands(self, studies, monkeypatch, tmp_path):
        monkeypatch.chdir(tmp_path)
        assert find("cells").name == "cells" and runs(find("cells")) == runs(read_study(TWO))

    def test_or_the_path_of_a_file_in_the_labs_folder_or_here(self, studies, monkeypatch, tmp_path):
        monkeypatch.chdir(tmp_path)
        assert find("studies/cells.yaml").name == "cells"
        (tmp_path / "other.json").write_text('{"arms": {"a": {}}, "seeds": 1}')
        assert find("other.json").name == "other" and find(str(tmp_path / "other.json")).name == "other"

    def test_changes_reach_a_study_of_either_kind_and_none_is_no_change(self, studies):
        for name in ("sharing", "cells"):
            study = find(name, profile="digits", seeds=2, epochs=20, data=None, train_size=50)
            assert (len(study.seeds), study.base.train.epochs, study.base.data.train_size) == (2, 20, 50)
            assert study.base.model == get_profile("digits").base.model

    def test_a_file_may_be_a_single_run(self, studies):
        run = RunConfig(seed=3, train={"epochs": 2})
        (studies / "run.yaml").write_text(run.to_yaml())
        (studies / "run.json").write_text(run.to_json())
        assert find("run") == find("studies/run.json") == run
        with pytest.raises(ConfigError, match="single run, expected a study"):
            find_study("run")
        with pytest.raises(ConfigError, match="single run, and seeds, epochs change a study"):
            find("run", seeds=2, epochs=3, data=None)

    def test_a_study_is_found_as_one(self, studies):
        assert runs(find_study("cells", profile="smoke")) == runs(read_study(TWO, profile="smoke"))

    def test_names_are_those_of_the_catalogue_and_of_the_files(self, studies):
        assert study_names() == [*STUDIES, "cells"]

    def test_a_folder_for_results_only_has_those_of_the_repository(self, lab_home):
        files = (Path(__file__).parents[2] / "studies").glob("*.yaml")
        assert not (lab_home / "studies").exists()
        assert study_names() == [*STUDIES, *sorted(path.stem for path in files)]

    @pytest.mark.parametrize(("name", "meant"), [("sharin", "sharing"), ("cels", "cells")])
    def test_an_unknown_name_gets_the_closest_and_all_there_are(self, studies, name, meant):
        with pytest.raises(
            ConfigError, match=f"unknown study '{name}' .did you mean '{meant}'.*path of a YAML"
        ) as caught:
            find(name)
        assert all(known in str(caught.value) for known in study_names())

    def test_a_file_called_like_a_study_of_the_catalogue_is_refused_and_not_passed_over(self, studies):
        (studies / "sharing.yaml").write_text(TWO)
        with pytest.raises(ConfigError, match="catalogue and .*sharing.yaml too"):
            find("sharing")
        assert runs(find("studies/sharing.yaml")) == runs(read_study(TWO))

    @pytest.mark.parametrize(
        "content", [b"\xff\xfe\x00", b"PK\x03\x04\x00", b"arms: {a: \x00}", b"", b"arms: [", b"x: 1"]
    )
    def test_a_file_that_is_none_is_refused_by_its_path(self, studies, content):
        (studies / "bad.yaml").write_bytes(content)
        with pytest.raises(ConfigError, match=r"studies/bad\.yaml: "):
            find("bad")

    def test_a_mark_of_utf_8_does_no_harm(self, studies):
        (studies / "bom.yaml").write_bytes(b"\xef\xbb\xbf" + TWO.encode())
        assert runs(find("bom")) == runs(find("cells"))


@pytest.mark.parametrize("path", sorted((ROOT / "studies").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_file_that_comes_with_the_lab_is_a_study_at_every_scale(path):
    assert path.stem not in STUDIES
    for profile in PROFILES:
        assert find_study(str(path), profile=profile).configs()


def test_cells_compares_one_two_and_four_cells_with_the_runs_of_the_readme():
    study = find_study(str(ROOT / "studies" / "cells.yaml"))
    assert {arm: study.config(arm, 0).model.attention.cells for arm in study.arms} == {
        "one cell": 1,
        "two cells": 2,
        "four cells": 4,
    }
    assert study.baseline == "one cell" and study.demonstration and study.base == QUICK.base
    assert all(contrast.weights["one cell"] == -1 for contrast in study.contrasts)
