"""What every test gets: one torch thread, a lab folder of its own, and no figure left open."""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import pytest
import torch
from hypothesis import settings

from dianet_lab.attention.recurrent import MEMORIES
from dianet_lab.attention.registry import UNITS
from dianet_lab.config import AttentionConfig, DataConfig, ModelConfig, RunConfig, TrainConfig
from dianet_lab.studies.store import RunStore

plt.switch_backend("Agg")
torch.set_num_threads(1)
settings.register_profile("lab", deadline=None)  # a machine that is busy is no bug
settings.load_profile("lab")


def pytest_collection_modifyitems(items):
    """Long tests first, those of notebooks before all, so that no worker ends with one while others have none."""
    items.sort(key=lambda item: (item.get_closest_marker("heavy") is None, "notebooks" not in item.path.parts))


@pytest.fixture(scope="session")
def homes(tmp_path_factory):
    return tmp_path_factory.mktemp("homes")


@pytest.fixture(autouse=True)
def lab_home(homes, monkeypatch):
    """``DIANET_LAB_HOME`` at an empty folder, so that no test reads or writes the real results."""
    home = Path(tempfile.mkdtemp(dir=homes))  # pytest numbers its folders, and looks at all before for the next
    monkeypatch.setenv("DIANET_LAB_HOME", str(home))
    return home


@pytest.fixture(autouse=True)
def same_numbers_every_time():
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def every_attention() -> list:
    """Every unit of the registry, with ways of sharing and every memory that it declares."""
    cases = []
    for unit, kind in sorted(UNITS.items()):
        for sharing in ("stage", "none", 2):
            for memory in MEMORIES if "memory" in kind.options else (None,):
                extra = {"memory": memory} if memory else {}
                config = AttentionConfig(unit=unit, sharing=sharing, **extra)
                cases.append(pytest.param(config, id=f"{unit}-{sharing}-{memory}"))
    return cases


@pytest.fixture(params=every_attention())
def attention(request) -> AttentionConfig:
    """A new unit is tested wherever this is used; it needs a network with three blocks a stage."""
    return request.param


@pytest.fixture
def store(tmp_path) -> RunStore:
    return RunStore(tmp_path / "runs")


@pytest.fixture
def tiny() -> RunConfig:
    """A run of well under a second: two blocks a stage, four channels, two epochs on 40 digits."""
    return RunConfig(
        model=ModelConfig(depth=14, width=4),
        data=DataConfig(train_size=40, val_size=20, test_limit=50),
        train=TrainConfig(epochs=2, batch_size=20),
    )
