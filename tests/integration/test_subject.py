"""What a notebook about gates looks into: a study, a run of this lab, or an imported network."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image
from pytorchcv.models.diaresnet_cifar import get_diaresnet_cifar

from dianet_lab.analysis import subject
from dianet_lab.analysis.gates import gate_measures
from dianet_lab.analysis.memory_frames import arms_with_memory
from dianet_lab.config import DataConfig
from dianet_lab.data.sources import load_data
from dianet_lab.errors import LabError
from dianet_lab.interop.imports import import_run
from dianet_lab.interop.published import NORMALISATION
from dianet_lab.studies.catalog import get_study
from dianet_lab.studies.execute import run_study
from dianet_lab.studies.store import RunStore
from dianet_lab.studies.study import Study
from tests.cells import run_cells

ROOT = Path(__file__).resolve().parents[2]
FEW = {"images": 20, "steps": 4, "draws": 1}
"""For the notebooks that have these parameters."""


@pytest.fixture
def folder(tmp_path):
    """Ten classes of 8x8 colour images, 20 to train on and 20 to test with."""
    names = [f"class {k}" for k in range(10)]
    features = {"img": {"_type": "Image"}, "label": {"names": names, "_type": "ClassLabel"}}
    pixels = np.random.RandomState(0).randint(0, 256, (20, 8, 8, 3)).astype(np.uint8)
    for part in ("train", "test"):
        rows = []
        for number, image in enumerate(pixels):
            Image.fromarray(image).save(tmp_path / "one.png")
            rows.append({"bytes": (tmp_path / "one.png").read_bytes(), "path": f"{number}.png"})
        images = pa.array(rows, pa.struct({"bytes": pa.binary(), "path": pa.string()}))
        table = pa.table({"img": images, "label": pa.array([k % 10 for k in range(20)])})
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
        pq.write_table(table, tmp_path / f"{part}-00000-of-00001.parquet")
    return tmp_path


@pytest.fixture
def imported(tmp_path):
    """pytorchcv's DIA-ResNet-20 with random weights, as its user would have it in a file."""
    file = tmp_path / "dia20.pth"
    torch.save(get_diaresnet_cifar(10, 20, bottleneck=False).state_dict(), file)
    run_id, _ = import_run("pytorchcv:diaresnet20_cifar10", "dia20", file)
    return run_id


class TestRun:
    def test_of_this_lab_stands_beside_its_untrained_self(self, tiny):
        store, study = RunStore(), Study("s", tiny, arms={"DIA": {}}, seeds=[2], keep_weights=True)
        run_study(study, store, workers=1)
        run_id = study.config("DIA", 2).run_id
        seen = subject.of_run(store, run_id)
        assert [view.name for view in seen.views] == ["this run", "untrained", "pixels shuffled"]
        assert seen.runs.loc[0, "test_accuracy"] == store.manifest(run_id)["result"]["test_accuracy"]
        assert len(gate_measures(seen.networks())) == 2 * 3

    def test_that_was_imported_sees_images_as_it_was_trained_with(self, imported, folder):
        seen = subject.of_run(RunStore(), imported, f"parquet:{folder}")
        assert tuple(seen.test.mean.tolist()) == pytest.approx(NORMALISATION["mean"])
        own = load_data(DataConfig(source="parquet", path=str(folder), val_size=0), 0).test
        assert not torch.allclose(own.std, seen.test.std)
        assert "imported-dia20" in seen.scale and seen.origin["weights"] == "pytorchcv:diaresnet20_cifar10"

    def test_refuses_images_of_another_kind(self, imported):
        with pytest.raises(LabError, match="3 channels and 10 classes.*digits has 1 and 10"):
            subject.of_run(RunStore(), imported, "digits")

    def test_shows_two_images_of_different_classes(self, imported, folder):
        seen = subject.of_run(RunStore(), imported, f"parquet:{folder}")
        one, other = seen.two_images(3)
        assert one == 3 and seen.test.labels[one] != seen.test.labels[other]
        with pytest.raises(LabError, match="image: got 20, expected 0 to 19"):
            seen.two_images(20)
        assert seen.start == 0.25 and "train" not in seen.origin["configuration"]

    def test_without_a_gate_is_refused(self, tiny):
        store = RunStore()
        study = Study("s", tiny, arms={"plain": {"model.attention.unit": "none"}}, seeds=[0])
        run_study(study, store, workers=1)
        with pytest.raises(LabError, match="plain network"):
            subject.of_run(store, study.config("plain", 0).run_id)

    @pytest.mark.heavy
    @pytest.mark.parametrize("number", ["10", "12", "15"])
    def test_that_was_imported_goes_through_the_notebooks(self, number, imported, folder):
        """In the layout of pytorchcv."""
        record = run_cells(number, profile="smoke", run=imported, data=f"parquet:{folder}", **FEW)
        assert not record.demonstration and imported in record.in_short[2]


class TestOwnNetwork:
    @pytest.mark.heavy
    @pytest.mark.parametrize("number", ["10", "12", "15"])
    def test_of_torchvision_with_an_attached_unit_goes_through_the_notebooks(self, number, tmp_path):
        """The example of the repository, after one update instead of sixty."""
        text = (ROOT / "examples" / "resnet18_digits.py").read_text()
        file = tmp_path / "mine.py"
        file.write_text(text.replace("SIZE, STEPS = 32, 60", "SIZE, STEPS = 16, 1"))
        assert file.read_text() != text
        record = run_cells(number, profile="smoke", run=f"{file}:network", **FEW)
        assert not record.demonstration and "mine.py:network" in record.in_short[2]

    @pytest.mark.parametrize(
        "text, told",
        [
            ("def other(trained): pass", "has no function 'network'"),
            ("def network(trained): return 3", "returned a int, expected an nn.Module"),
            ("def network(trained): return 1 / 0", "mine.py failed: ZeroDivisionError"),
            ("import torch\ndef network(trained): return torch.nn.Linear(1, 1)", "no attention unit"),
        ],
    )
    def test_that_is_none_is_refused_in_a_sentence(self, text, told, tmp_path):
        (tmp_path / "mine.py").write_text(text)
        with pytest.raises(LabError, match=told):
            subject.of_own(f"{tmp_path / 'mine.py'}:network")
        with pytest.raises(LabError, match="there is no file"):
            subject.of_own("nowhere.py:network")


class TestStudy:
    def test_draws_its_first_seed_and_compares_all(self):
        store, study = RunStore(), get_study("vectors", "smoke", seeds=1, epochs=1)
        seen = subject.of_study(study, store, run_study(study, store, workers=1))
        drawn = ["DIA", "SE shared", "SE per block", "untrained", "pixels shuffled"]
        assert [view.name for view in seen.views] == drawn
        names = ["trained - untrained", "images - pixels shuffled", "DIA - per block, carried"]
        assert [contrast.name for contrast in seen.contrasts][:3] == names
        assert [view.start for view in seen.views] == [0.25, 0.5, 0.5, 0.25, 0.25]
        assert len(list(seen.networks())) == 2 * 6
        assert [n.which["when"] for n in seen.networks(["DIA"])] == ["start", "end"]
        assert seen.one().which == {"arm": "DIA", "seed": 0, "when": "end"}

    def test_every_seed_of_its_own_arm_is_shown_images_without_a_shape(self):
        """As many pixels of every brightness as before; and what is compared is there to be compared."""
        store, study = RunStore(), get_study("vectors", "smoke", seeds=2, epochs=1)
        seen = subject.of_study(study, store, run_study(study, store, workers=1))
        shuffled = list(seen.shuffled())
        assert [(net.which["arm"], net.which["seed"]) for net in shuffled] == [
            ("DIA, pixels shuffled", s) for s in (0, 1)
        ]
        for net in shuffled:
            whole, none = (images.images.flatten(1).sort(1).values for images in (seen.test, net.images))
            assert torch.equal(whole, none) and not torch.equal(net.images.images, seen.test.images)
        named = {network.name for network in seen.with_controls()}
        assert all(set(contrast.weights) <= named for contrast in seen.contrasts)

    def test_draws_the_first_seed_at_which_all_that_are_drawn_finished(self):
        store, study = RunStore(), get_study("vectors", "smoke", seeds=2, epochs=1)
        frame = run_study(study, store, workers=1)
        frame.loc[(frame["seed"] == 0) & (frame["arm"] == "SE shared"), "status"] = "diverged"
        seen = subject.of_study(study, store, frame)
        for view, arm in zip(seen.views, subject.DRAWN, strict=False):
            expected = store.load_model(study.config(arm, 1).run_id).state_dict()
            assert all(torch.equal(value, expected[name]) for name, value in view.model.state_dict().items())
        frame.loc[frame["arm"] == "DIA", "status"] = "failed"
        with pytest.raises(LabError, match="no seed at which DIA, SE shared, SE per block all finished"):
            subject.of_study(study, store, frame)

    def test_an_arm_of_which_no_run_finished_has_no_memory_to_look_at(self):
        seen = subject.look(get_study("vectors", "smoke", seeds=1, epochs=1), RunStore(), workers=1)
        finished, lost = seen.networks, "per block, carried"
        seen = replace(seen, networks=lambda arms, when: [] if arms == [lost] else finished(arms, when))
        assert lost in seen.arms and arms_with_memory(seen) == ["DIA"]

    def test_shuffled_pixels_keep_their_ink(self):
        study = get_study("vectors", "smoke", seeds=1, epochs=1)
        seen = subject.look(study, RunStore(), workers=1)
        images, shuffled = seen.views[0].images.images, seen.views[-1].images.images
        assert not torch.equal(images, shuffled)
        assert torch.equal(images.flatten(1).sort(1).values, shuffled.flatten(1).sort(1).values)
