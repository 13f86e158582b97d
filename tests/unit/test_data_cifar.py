"""CIFAR in torchvision's layout: read where it is, downloaded where it is not, and never from a notebook."""

import hashlib
import pickle
import sys
import tarfile
from pathlib import Path
from types import SimpleNamespace
from urllib.error import URLError

import numpy as np
import pytest
import torch
from torchvision.datasets import CIFAR10, CIFAR100

from dianet_lab.config import DataConfig
from dianet_lab.data.cifar import CIFARS, download_cifar, in_kernel
from dianet_lab.data.sources import load_data
from dianet_lab.errors import ConfigError, DataError


@pytest.fixture
def data(tmp_path, monkeypatch) -> Path:
    """The empty ``data/`` of a lab without a network, outside a kernel."""
    monkeypatch.setenv("DIANET_LAB_HOME", str(tmp_path))
    monkeypatch.delenv("JPY_PARENT_PID", raising=False)

    def no_network(*arguments, **options):
        raise URLError("no network")

    monkeypatch.setattr("urllib.request.urlopen", no_network)
    return tmp_path / "data"


def write_fake(folder: Path, kind: type[CIFAR10], monkeypatch, images: int = 20) -> None:
    """A tiny data set in the pickle layout of ``kind``, whose MD5 sums torchvision is made to expect."""
    classes = 100 if kind is CIFAR100 else 10
    label_key = "fine_labels" if kind is CIFAR100 else "labels"
    base = folder / kind.base_folder
    base.mkdir(parents=True)

    def dump(name: str, content: dict) -> str:
        (base / name).write_bytes(pickle.dumps(content))
        return hashlib.md5((base / name).read_bytes()).hexdigest()

    def batch(name: str, seed: int) -> list[str]:
        pixels = np.random.RandomState(seed).randint(0, 256, (images, 3072)).astype(np.uint8)
        return [name, dump(name, {"data": pixels, label_key: [n % classes for n in range(images)]})]

    monkeypatch.setattr(kind, "train_list", [batch(name, n) for n, (name, _) in enumerate(kind.train_list)])
    monkeypatch.setattr(kind, "test_list", [batch(name, 9) for name, _ in kind.test_list])
    names = {kind.meta["key"]: [f"class {n}" for n in range(classes)]}
    monkeypatch.setattr(kind, "meta", {**kind.meta, "md5": dump(kind.meta["filename"], names)})


def pack(folder: Path, kind: type[CIFAR10], monkeypatch) -> None:
    """Turn the unpacked folder into the archive that torchvision expects."""
    archive = folder / kind.filename
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(folder / kind.base_folder, kind.base_folder)
    monkeypatch.setattr(kind, "tgz_md5", hashlib.md5(archive.read_bytes()).hexdigest())
    for file in (folder / kind.base_folder).iterdir():
        file.unlink()
    (folder / kind.base_folder).rmdir()


def test_cifar10_is_read_from_the_labs_data_folder(data, monkeypatch):
    write_fake(data, CIFAR10, monkeypatch)
    train, val, test = load_data(DataConfig(source="cifar10", val_size=20), 0)
    assert (len(train), len(val), len(test)) == (80, 20, 20)
    assert train.images.shape[1:] == (3, 32, 32) and train.images.is_contiguous()
    assert train.flip and train.num_classes == 10 and train.class_names[1] == "class 1"
    rows = np.random.RandomState(9).randint(0, 256, (20, 3072)).astype(np.uint8)
    assert torch.equal(test.images, torch.from_numpy(rows).view(20, 3, 32, 32))
    assert test.labels.tolist() == [n % 10 for n in range(20)] and test.index.tolist() == list(range(20))


def test_cifar100_has_its_fine_labels(data, monkeypatch):
    write_fake(data, CIFAR100, monkeypatch, images=300)
    train, val, test = load_data(DataConfig(source="cifar100", test_limit=100), 0)
    assert (len(train), len(val), len(test)) == (100, 200, 100)
    assert torch.bincount(test.labels).tolist() == [1] * 100
    assert train.num_classes == 100


def test_the_configuration_may_forbid_the_flip(data, monkeypatch):
    write_fake(data, CIFAR10, monkeypatch)
    assert not load_data(DataConfig(source="cifar10", val_size=10, flip=False), 0).train.flip


def test_an_archive_in_the_folder_is_unpacked_even_in_a_notebook(data, monkeypatch, capsys):
    write_fake(data, CIFAR10, monkeypatch)
    pack(data, CIFAR10, monkeypatch)
    monkeypatch.setenv("JPY_PARENT_PID", "1")
    assert len(load_data(DataConfig(source="cifar10", val_size=20), 0).test) == 20
    assert "Downloading" not in capsys.readouterr().out


def test_an_absent_data_set_is_downloaded_with_a_line_that_says_so(data, monkeypatch, capsys):
    def download(self):
        write_fake(Path(self.root), CIFAR10, monkeypatch)

    monkeypatch.setattr(CIFAR10, "download", download)
    assert len(load_data(DataConfig(source="cifar10", val_size=20), 0).train) == 80
    assert capsys.readouterr().out == f"Downloading cifar10 (about 170 MB) to {data}\n"
    assert download_cifar("cifar10") == data
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("name", CIFARS)
def test_without_a_network_the_message_says_which_archive_belongs_where(data, name):
    with pytest.raises(DataError) as refusal:
        load_data(DataConfig(source=name), 0)
    message = str(refusal.value)
    assert "no network" in message and CIFARS[name].filename in message and str(data) in message
    assert "//" not in message


def test_half_an_archive_does_not_count(data):
    data.mkdir()
    (data / CIFAR10.filename).write_bytes(b"half")
    with pytest.raises(DataError, match="could not be downloaded and unpacked"):
        load_data(DataConfig(source="cifar10"), 0)


def test_a_notebook_downloads_nothing_and_tells_the_command(data, monkeypatch):
    monkeypatch.setattr(CIFAR10, "download", lambda self: pytest.fail("downloaded"))
    monkeypatch.setenv("JPY_PARENT_PID", "1")
    with pytest.raises(DataError, match="run `dianet-lab data cifar10` in a terminal"):
        load_data(DataConfig(source="cifar10"), 0)


def test_a_kernel_is_known_by_its_shell_or_by_the_process_that_started_it(data, monkeypatch):
    def shell(**attributes):
        monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: SimpleNamespace(**attributes)))

    shell()
    assert not in_kernel()
    shell(kernel=object())
    assert in_kernel()
    monkeypatch.delitem(sys.modules, "IPython")
    assert not in_kernel()
    monkeypatch.setenv("JPY_PARENT_PID", "1")
    assert in_kernel()


@pytest.mark.parametrize("damage", [Path.unlink, lambda file: file.write_bytes(file.read_bytes()[:500])])
def test_a_damaged_file_is_refused_with_the_way_to_mend_it(data, monkeypatch, damage):
    write_fake(data, CIFAR10, monkeypatch)
    damage(data / CIFAR10.base_folder / "data_batch_3")
    with pytest.raises(DataError, match=r"incomplete or damaged .*run `dianet-lab data cifar10` to get them anew"):
        load_data(DataConfig(source="cifar10"), 0)


def test_an_unknown_name_is_refused(data):
    with pytest.raises(ConfigError, match="unknown CIFAR data set 'cifar1000'.*did you mean 'cifar100'"):
        download_cifar("cifar1000")
