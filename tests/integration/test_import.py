"""Weights from files: what does not fit or can't be trusted is refused, and what fits becomes a run of the store."""

import hashlib
import io
import os
import pickle
import re
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
from dianet_lab.config import AttentionConfig, DataConfig, ModelConfig
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


class TestMismatches:
    @pytest.fixture
    def refused(self, source):
        """The message for the source's weights after a change, from a model that must be as before."""
        weights, model = dict(source.state_dict()), build_model(ModelConfig())
        before = {name: value.clone() for name, value in model.state_dict().items()}

        def refuse(change) -> str:
            change(weights)
            with pytest.raises(LabError) as error:
                load_pytorchcv(model, weights)
            assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
            return str(error.value)

        return refuse

    def test_name_missing_unexpected_and_misshaped_keys_and_the_layout(self, refused):
        def change(weights):
            del weights["features.stage3.unit3.body.conv2.bn.running_var"]
            weights["features.stage9.weight"] = torch.zeros(1)
            weights["output.weight"] = torch.zeros(100, 64)
            weights["output.bias"] = "ten"

        text = refused(change)
        assert "pytorchcv's DIA-ResNet with 3 blocks a stage and 10 classes; nothing was loaded" in text
        assert "missing (1): features.stage3.unit3.body.conv2.bn.running_var" in text
        assert "unexpected (1): features.stage9.weight" in text
        assert "misshaped (2): output.weight is [100, 64], expected [10, 64], output.bias is a str, expected" in text

    @pytest.mark.parametrize(
        ("change", "says"),
        [
            (lambda weights: weights.pop("output.bias"), r"missing \(1\): output.bias"),
            (lambda weights: weights.update(x=torch.zeros(1)), r"unexpected \(1\): x"),
            (lambda weights: weights.update({"output.bias": torch.arange(10)}), "output.bias is torch.int64, expected"),
        ],
    )
    def test_of_one_kind_alone_are_enough(self, refused, change, says):
        assert re.search(says, refused(change))

    def test_long_lists_are_cut(self, refused):
        text = refused(lambda weights: weights.clear() or weights.update(x=torch.zeros(1)))
        assert "missing (179): features.init_block.conv.weight" in text and "and 171 more" in text and len(text) < 1500

    def test_copies_of_a_shared_module_must_be_equal_and_all_there(self, refused):
        def change(weights):
            name = "features.stage2.unit{}.attention.lstm.h_amps.amp1.fc2.bias"
            weights[name.format(3)] = weights[name.format(3)] + 1
            del weights[name.format(2)]

        text = refused(change)
        assert "missing (1): features.stage2.unit2.attention" in text
        assert "unequal, but of one shared module (1): features.stage2.unit3.attention" in text


class TestModelsWithoutACounterpart:
    @pytest.mark.parametrize(
        ("load", "model", "attention", "says"),
        [
            (load_pytorchcv, {}, {"unit": "gru"}, "the unit is a GRU"),
            (load_pytorchcv, {}, {"sharing": "none"}, "sharing 'stage'"),
            (load_pytorchcv, {}, {"share_from": 1}, "share_from 0"),
            (load_pytorchcv, {}, {"activation": "tanh"}, "activation is tanh, not sigmoid"),
            (load_pytorchcv, {}, {"memory": "detached"}, "memory is 'detached', not 'carried'"),
            (load_pytorchcv, {}, {"memory": "clock"}, "clock"),
            (load_pytorchcv, {}, {"squeeze": "max"}, "pool is maximum, not average"),
            (load_pytorchcv, {}, {"layer_embedding": True}, "embedding"),
            (load_pytorchcv, {}, {"cells": 2}, "cells.1"),
            (load_pytorchcv, {}, {"reduction": None}, "is Linear, not Bottleneck"),
            (load_pytorchcv, {}, {"unit": "se", "sharing": "none", "neutral": True}, "gate_start is 1.0, not None"),
            (load_pytorchcv, {"norm": "none"}, {}, "norm is 'none'"),
            (load_pytorchcv, {"skip": False}, {}, "skip is False"),
            (load_pytorchcv, {"backbone": "resnext"}, {}, "ResNeXt"),
            (load_pytorchcv, {"backbone": "preresnet", "projection": "raw"}, {}, "projection is 'raw'"),
            (load_pytorchcv, {"backbone": "preresnet", "branch_norm": True}, {}, "branch_norm is True"),
            (load_pytorchcv, {"backbone": "preresnet"}, {"unit": "se", "sharing": "none"}, "outer_norm is 'last'"),
            (load_official, {}, {"unit": "se", "sharing": "none"}, "unit is 'se'"),
            (load_official, {}, {}, "block is 'basic'"),
            (load_official, {"backbone": "preresnet", "block": "bottleneck"}, {}, "branch_norm is False"),
            (load_official, {"backbone": "preresnet", "block": "bottleneck"}, {}, "projection is 'preactivated'"),
            (load_official, {"backbone": "preresnet", "projection": "raw", "branch_norm": True}, {}, "is 'raw'"),
        ],
    )
    def test_are_refused_with_what_is_supported(self, load, model, attention, says):
        model = {"depth": 29 if model.get("block") or model.get("backbone") == "resnext" else 20} | model
        network = build_model(ModelConfig(**model, attention=AttentionConfig(**attention)))
        with pytest.raises(LabError, match="Supported: unit ") as error:
            load(network, {"a": torch.zeros(1)})
        assert says in str(error.value)

    def test_of_another_kind_are_refused(self):
        with pytest.raises(LabError, match="got a Linear, expected a network of dianet_lab.build_model"):
            load_official(torch.nn.Linear(1, 1), {"a": torch.zeros(1)})


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
        assert f"dianet-lab report 10 -p run={run_id}" in out
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
