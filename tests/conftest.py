"""What every test gets: one torch thread, a lab folder of its own, and no figure left open."""

import matplotlib.pyplot as plt
import pytest
import torch
from hypothesis import settings

from dianet_lab.config import DataConfig, ModelConfig, RunConfig, TrainConfig
from dianet_lab.studies.store import RunStore

plt.switch_backend("Agg")
torch.set_num_threads(1)
settings.register_profile("lab", deadline=None)  # a machine that is busy is no bug
settings.load_profile("lab")


@pytest.fixture(autouse=True)
def lab_home(tmp_path_factory, monkeypatch):
    """``DIANET_LAB_HOME`` at an empty folder, so that no test reads or writes the real results."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("DIANET_LAB_HOME", str(home))
    return home


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


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
