"""Weights from files: what can't be trusted is refused, and what fits becomes a run of the store."""

import hashlib
import io
import os
import pickle
import sys
import zipfile
from functools import partial
from types import SimpleNamespace

import pytest
import requests
import torch
from pytorchcv.models.common import model_store
from pytorchcv.models.diaresnet_cifar import diaresnet20_cifar10

from dianet_lab.cli import main
from dianet_lab.config import DataConfig, ModelConfig
from dianet_lab.data.sources import load_data
from dianet_lab.errors import LabError
from dianet_lab.interop import load_official, load_pytorchcv
from dianet_lab.interop.imports import as_trained
from dianet_lab.interop.published import NORMALISATION
from dianet_lab.models import build_model
from dianet_lab.studies.store import RunStore

DIA20 = "pytorchcv:diaresnet20_cifar10"


@pytest.fixture
def lab(monkeypatch, capsys):
    """Run ``dianet-lab import ...``; returns (exit code, stdout, stderr)."""

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["dianet-lab", "import", *words])
        with pytest.raises(SystemExit) as stop:
            main()
        return (stop.value.code or 0, *capsys.readouterr())

    return run


@pytest.fixture
def source():
    """A DIA-ResNet-20 of pytorchcv with weights of its own."""
    return diaresnet20_cifar10().eval()


@pytest.fixture
def file(source, tmp_path):
    torch.save(source.state_dict(), tmp_path / "weights.pth")
    return str(tmp_path / "weights.pth")


class Unsafe:
    """Makes a folder where it is unpickled."""

    def __init__(self, folder: str):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (self.folder,)


class TestFiles:
    @pytest.mark.parametrize("dump", [torch.save, partial(pickle.dump, protocol=2)], ids=["torch", "pickle"])
    def test_that_hold_code_are_refused_and_not_run(self, tmp_path, dump):
        with open(tmp_path / "w.pth", "wb") as stream:
            dump({"state_dict": Unsafe(str(tmp_path / "run"))}, stream)
        with pytest.raises(LabError, match=r"w.pth can't be read as weights \(it asks for \w+\.mkdir.*nothing in it"):
            load_official(build_model(ModelConfig()), tmp_path / "w.pth")
        assert not (tmp_path / "run").exists()

    @pytest.mark.parametrize("content", [b"", b"\x80", b"PK\x03\x04", b"<html>", bytes(range(256)) * 9])
    def test_that_are_damaged_say_so(self, tmp_path, content):
        (tmp_path / "w.pth").write_bytes(content)
        with pytest.raises(LabError, match="it is damaged"):
            load_pytorchcv(build_model(ModelConfig()), tmp_path / "w.pth")

    def test_that_are_cut_say_so(self, file):
        with open(file, "r+b") as stream:
            stream.truncate(100_000)
        with pytest.raises(LabError, match="it is damaged"):
            load_pytorchcv(build_model(ModelConfig()), file)

    @pytest.mark.parametrize("content", [[1], {}, {"state_dict": {}}, {1: torch.zeros(1)}, torch.zeros(2)])
    def test_without_a_state_dict_say_what_they_hold(self, tmp_path, content):
        torch.save(content, tmp_path / "w.pth")
        with pytest.raises(LabError, match="there is no state dict, but"):
            load_pytorchcv(build_model(ModelConfig()), str(tmp_path / "w.pth"))


class TestImport:
    def test_a_file_becomes_a_run_that_computes_the_same(self, lab, source, file):
        code, out, _ = lab(DIA20, "--name", "dia_20", "--file", file)
        store, run_id, images = RunStore(), "imported-dia_20", torch.randn(2, 3, 32, 32)
        assert code == 0 and list(store) == [run_id] and "286,866 parameters (14,392 of the attention)" in out
        assert "dianet-lab data cifar10" in out and f"dianet-lab report 10 --profile paper -p run={run_id}" in out
        torch.testing.assert_close(store.load_model(run_id)(images), source(images))
        assert store.config(run_id).model == ModelConfig() and store.config(run_id).data.source == "cifar10"
        manifest = store.manifest(run_id)
        assert manifest["status"] == "imported" and manifest["result"] == {} and manifest["model"]["hidden"] == "4/8/16"
        made = manifest["provenance"]
        with open(file, "rb") as stream:
            assert made["sha256"] == hashlib.file_digest(stream, "sha256").hexdigest()
        assert made["name"] == "diaresnet20_cifar10" and made["file"] == "weights.pth" and made["versions"]["pytorchcv"]
        for read in (store.history, store.predictions):
            with pytest.raises(LabError, match="it was imported, not trained here"):
                read(run_id)

    def test_the_same_again_is_there_already_and_another_is_refused(self, lab, source, file):
        words = (DIA20, "--name", "dia", "--file", file)
        assert lab(*words)[0] == 0
        code, out, _ = lab(*words)
        assert code == 0 and "The same weights are there already: imported-dia" in out
        torch.save(diaresnet20_cifar10().state_dict(), file)
        code, _, err = lab(*words)
        assert code == 2 and "imported-dia is in the store with other weights: choose another --name" in err
        images = torch.randn(2, 3, 32, 32)
        torch.testing.assert_close(RunStore().load_model("imported-dia")(images), source(images))

    def test_an_official_checkpoint_needs_its_file(self, lab, file):
        code, _, err = lab("official:dia_resnet164_cifar100", "--name", "x")
        assert code == 2 and "has no download: give the checkpoint with --file" in err
        code, _, err = lab("official:dia_resnet164_cifar100", "--name", "x", "--file", file)
        assert code == 2 and "the official dia_resnet with 18 blocks a stage and 100 classes" in err

    def test_weights_are_downloaded_once(self, lab, file, monkeypatch):
        with open(file, "rb") as stream:
            content = stream.read()
        sha1, archive, asked = hashlib.sha1(content).hexdigest(), io.BytesIO(), []
        with zipfile.ZipFile(archive, "w") as packed:
            packed.writestr(f"diaresnet20_cifar10-0622-{sha1[:8]}.pth", content)

        def get(url, **options):
            asked.append(url)
            return SimpleNamespace(status_code=200, iter_content=lambda chunk_size: [archive.getvalue()])

        known = {"diaresnet20_cifar10": (286866, "0622", sha1, "v0")}
        monkeypatch.setattr(model_store, "get_model_metainfo_dict", lambda: known)
        monkeypatch.setattr(requests, "get", get)
        assert lab(DIA20, "--name", "a")[0] == 0 and lab(DIA20, "--name", "b")[0] == 0
        assert len(asked) == 1 and list(RunStore()) == ["imported-a", "imported-b"]

    def test_without_a_network_it_names_the_other_way(self, lab, monkeypatch):
        def get(url, **options):
            raise requests.ConnectionError("no network")

        monkeypatch.setattr(requests, "get", get)
        code, out, err = lab(DIA20, "--name", "dia")
        assert code == 2 and "diaresnet20_cifar10 could not be downloaded" in err and "no network" in err
        assert "--file" in err and "Traceback" not in out + err and not list(RunStore())

    def test_without_pytorchcv_it_says_what_to_install(self, lab, monkeypatch):
        monkeypatch.setitem(sys.modules, "pytorchcv.models.common.model_store", None)
        code, _, err = lab(DIA20, "--name", "dia")
        assert code == 2 and "pip install 'dianet-lab[interop]'" in err and "--file" in err

    @pytest.mark.parametrize(
        ("source", "name", "says"),
        [
            ("diaresnet20_cifar10", "a", "expected SOURCE:NAME, such as pytorchcv:"),
            ("pytorchvc:diaresnet20_cifar10", "a", "did you mean 'pytorchcv'?"),
            ("pytorchcv:diaresnet164_cifar10", "a", "did you mean 'diaresnet164bn_cifar10'?"),
            ("pytorchcv:diaresnet20_svhn", "a", "SVHN, which the lab has no images of"),
            ("pytorchcv:diaresnet1001_cifar10", "a", "pytorchcv has published no weights of diaresnet1001_cifar10"),
            ("official:dia_resnet_cifar10", "a", "did you mean 'dia_resnet164_cifar10'?"),
            ("official:dia_wrn50_cifar10", "a", "ModelConfig.depth: got 50"),
            (DIA20, "DIA", "--name: got 'DIA', expected lower-case letters"),
            (DIA20, "../a", "--name: got '../a'"),
        ],
    )
    def test_wrong_words_are_explained(self, lab, source, name, says):
        code, _, err = lab(source, "--name", name)
        assert code == 2 and err.startswith("error: ") and says in err and not list(RunStore())

    def test_its_images_are_normalised_as_in_its_training(self):
        images = load_data(DataConfig(), 0).test
        assert as_trained(images, {"provenance": {"device": "cpu"}}) is images
        changed = as_trained(images, {"provenance": {"normalisation": NORMALISATION}})
        assert changed.std.tolist() == pytest.approx([0.2023, 0.1994, 0.2010]) and changed.images is images.images
