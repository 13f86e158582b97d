"""The explorer over a store: which runs it offers, how it opens them, and its controls without a browser."""

import sys

import numpy as np
import pytest

from dianet_lab import build_model
from dianet_lab.errors import LabError
from dianet_lab.explore import Explorer, State, picture, show
from dianet_lab.explore.runs import run_title, stored_runs
from dianet_lab.explore.widgets import OPEN_IT, Controls
from dianet_lab.reports.record import TOKEN_VARIABLE
from dianet_lab.studies.execute import run_study
from dianet_lab.studies.manifest import WEIGHTS
from dianet_lab.studies.study import Study

UNIT = "model.attention.unit"
ARMS = {"DIA": {}, "SE": {UNIT: "se", "model.attention.sharing": "none"}, "plain": {UNIT: "none"}}

OWN = """
from dianet_lab import ModelConfig, build_model
def network(trained):
    return build_model(ModelConfig(depth=14, width=4), 1, 10, seed=int(trained))
"""


@pytest.fixture
def study(tiny) -> Study:
    return Study("s", tiny, arms=ARMS, seeds=[0], keep_weights=True)


@pytest.fixture
def trained(study, store):
    run_study(study, store, workers=1)
    return store


@pytest.fixture
def dia(study) -> str:
    return study.config("DIA", 0).run_id


@pytest.fixture
def se(study) -> str:
    return study.config("SE", 0).run_id


def imported(store, tiny, images: str = "digits") -> str:
    """A network of other code, of one block a stage more, with images normalised in its own way."""
    config = tiny.override({"model.depth": 20, "data.train_size": None, "data.val_size": 0, "data.source": images})
    shape = (1, 10) if images == "digits" else (3, 10)
    about = {"source": "pytorchcv", "name": "x", "normalisation": {"mean": [0.5], "std": [0.25]}}
    store.save_imported("imported-x", config, build_model(config.model, *shape), shape, about)
    return "imported-x"


class TestRuns:
    def test_are_those_with_attention_and_weights_in_words(self, trained, dia, se, tiny):
        found = stored_runs(trained)
        assert found == {"ResNet-14, DIA, digits, seed 0": dia, "ResNet-14, se, per block, digits, seed 0": se}
        imported(trained, tiny)
        assert stored_runs(trained)["ResNet-20, DIA, digits, imported-x"] == "imported-x"

    def test_without_weights_or_damaged_are_left_out(self, trained, dia, se, study):
        (trained.folder(dia) / WEIGHTS).unlink()
        assert list(stored_runs(trained).values()) == [se]

    def test_of_one_title_are_told_apart(self, trained, study, tiny, dia):
        longer = Study("t", tiny.override({"train.epochs": 3}), arms={"DIA": {}}, seeds=[0], keep_weights=True)
        run_study(longer, trained, workers=1)
        other = longer.config("DIA", 0).run_id
        titles = {run: title for title, run in stored_runs(trained).items()}
        assert titles[dia] == f"ResNet-14, DIA, digits, seed 0 ({dia[-4:]})" != titles[other]

    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({}, "DIA"),
            ({"memory": "none"}, "shared, no memory"),
            ({"unit": "se", "sharing": "none", "reduction": 16}, "SE per block"),
            ({"unit": "eca", "sharing": 2}, "eca, groups of 2"),
        ],
    )
    def test_are_called_by_the_name_of_their_arm(self, tiny, changes, words):
        config = tiny.override(
            {f"model.attention.{name}": value for name, value in changes.items()} | {"model.depth": 20}
        )
        assert run_title("r", config) == f"ResNet-20, {words}, digits, seed 0"


class TestExplorer:
    def test_opens_a_run_with_its_controls_once(self, trained, dia):
        runs = Explorer(trained)
        shown = {view: runs.look(State(dia, view=view)) for view in ("this run", "untrained", "pixels shuffled")}
        assert runs.open(dia) is runs.open(dia) and runs.inside(dia, "untrained") is runs.inside(dia, "untrained")
        assert not np.array_equal(shown["this run"].gates, shown["untrained"].gates)
        assert [look.arm for look in shown.values()] == ["DIA", "untrained", "DIA"]
        one, shuffled = (shown[view].picture for view in ("this run", "pixels shuffled"))
        assert not np.array_equal(one, shuffled) and np.array_equal(np.sort(one.ravel()), np.sort(shuffled.ravel()))

    def test_shows_an_imported_run_the_images_that_it_knows(self, trained, tiny):
        run = imported(trained, tiny)
        within = Explorer(trained).inside(run, "this run")
        assert within.images.mean.tolist() == within.train.mean.tolist() == [0.5]
        assert picture(State(run), Explorer(trained)).get_size_inches().tolist() == [9, 10]

    def test_refuses_a_run_that_is_not_there_and_a_place_beyond_the_network(self, trained, dia):
        runs = Explorer(trained)
        with pytest.raises(LabError, match="not in"):
            runs.look(State("resnet20-lstm-s0-0000000000000000"))
        with pytest.raises(LabError, match="stage: got 5, expected 0 to 2"):
            runs.look(State(dia, stage=5))

    def test_shows_a_network_of_the_user_first(self, trained, lab_home):
        (lab_home / "own.py").write_text(OWN)
        runs = Explorer(trained, own="own.py:network")
        assert next(iter(runs.titles)) == "own.py:network"
        shown = runs.look(State("own.py:network"))
        assert shown.title == "own.py:network" and len(shown.layers) == 6


class TestControls:
    @pytest.fixture
    def controls(self, trained, dia, tiny) -> Controls:
        imported(trained, tiny)
        return Controls(State(dia, image=3), Explorer(trained))

    def test_start_at_the_state_with_the_ends_of_its_network(self, controls, dia):
        values = {name: field.value for name, field in controls.fields.items()}
        assert values["run"] == dia and (values["image"], values["stage"], values["block"]) == (3, 2, 1)
        assert [controls.fields[name].max for name in ("image", "stage", "block")] == [49, 2, 1]
        assert bytes(controls.picture.value[:4]) == b"\x89PNG" and controls.message.layout.display == "none"

    @pytest.mark.parametrize(
        ("field", "value"),
        [("amount", 0.25), ("kind", "0.25"), ("image", 8), ("stage", 0), ("block", 0), ("view", "untrained")],
    )
    def test_a_moved_one_changes_the_state_and_the_picture(self, controls, field, value):
        before = controls.picture.value
        controls.fields[field].value = value
        assert getattr(controls.state, field) == value and controls.picture.value != before

    def test_another_run_moves_them_to_places_that_it_has(self, controls, dia):
        controls.fields["run"].value = "imported-x"
        assert controls.fields["block"].max == 2
        controls.fields["block"].value = 2
        controls.fields["run"].value = dia
        assert controls.fields["block"].max == controls.fields["block"].value == controls.state.block == 1

    def test_one_move_is_one_picture(self, controls, monkeypatch, dia):
        """A slider that gets a new end is moved by the lab, not by the user."""
        drawn = []
        monkeypatch.setattr("dianet_lab.explore.widgets.picture", lambda s, r: drawn.append(s) or picture(s, r))
        controls.fields["run"].value = "imported-x"
        assert len(drawn) == 1

    def test_a_run_that_cannot_be_opened_leaves_the_picture_and_says_why(self, trained, dia, tiny):
        imported(trained, tiny, images="cifar10")
        controls = Controls(State(dia), Explorer(trained))
        before = controls.picture.value
        controls.fields["run"].value = "imported-x"
        assert controls.picture.value == before and controls.state.run == controls.fields["run"].value == dia
        assert controls.message.value and controls.message.layout.display != "none"
        controls.fields["image"].value = 2
        assert controls.message.value == "" and controls.picture.value != before


class TestShow:
    def test_without_ipywidgets_says_what_to_install(self, trained, dia, monkeypatch):
        monkeypatch.setitem(sys.modules, "ipywidgets", None)
        with pytest.raises(LabError, match=r"pip install 'dianet-lab\[explore\]'"):
            show(State(dia), Explorer(trained))

    def test_in_the_batch_needs_no_ipywidgets_and_shows_no_widget(self, trained, dia, monkeypatch, capsys):
        monkeypatch.setitem(sys.modules, "ipywidgets", None)
        monkeypatch.setenv(TOKEN_VARIABLE, "token")
        show(State(dia), Explorer(trained))
        assert capsys.readouterr().out == f"{OPEN_IT}\n"
