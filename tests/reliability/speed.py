"""What safety costs: the pool, checkpoints, a long list, the memory of the parent."""

import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from dianet_lab.studies.catalog import get_study
from dianet_lab.studies.execute import cores, run_study
from dianet_lab.studies.manifest import MANIFEST
from dianet_lab.studies.signed import read_signed, write_signed
from dianet_lab.studies.store import RunStore
from dianet_lab.studies.study import Study
from dianet_lab.studies.work import Order, carry_out
from tests.reliability.tiny import in_process, tiny


@dataclass(frozen=True)
class PoolLoss:
    """Of a study in the pool: runs, workers, wall time, median and mean run time in seconds."""

    runs: int
    workers: int
    wall: float
    median: float
    mean: float

    @property
    def loss(self) -> float:
        """How much longer it took than runs / workers x median."""
        return self.wall / (self.runs / self.workers * self.median) - 1

    @property
    def loss_of_mean(self) -> float:
        """The same against the mean, which differs where some arms take longer."""
        return self.wall / (self.runs / self.workers * self.mean) - 1


def pool_loss(folder: Path, seeds: int = 3) -> PoolLoss:
    """A quick study from an empty store: the wall time includes starting the pool and measuring the pace."""
    study, store = get_study("sharing", "quick", seeds=seeds), RunStore(folder)
    began = time.perf_counter()
    frame = run_study(study, store, workers=cores(), device="cpu")
    wall = time.perf_counter() - began
    return PoolLoss(len(frame), cores(), wall, float(frame["seconds"].median()), float(frame["seconds"].mean()))


def checkpoint_share(folder: Path, epochs: int) -> tuple[float, float, float]:
    """Of the paper's network (ResNet-164 with DIA) on digits: seconds of a run, of its checkpoints, MB of one."""
    config = get_study("vectors", "quick").config("DIA", 0)
    changes = {"model.depth": 164, "model.block": "bottleneck", "data.train_size": 100, "train.eval_every": epochs}
    config = config.override(changes | {"train.epochs": epochs, "train.warmup_epochs": 0})
    store, sizes = RunStore(folder), [0]
    path = store.folder(config.run_id) / "checkpoint.bin"

    def on_epoch(row: dict[str, float]) -> None:
        if path.exists():
            sizes.append(path.stat().st_size)

    carry_out(Order.here(config, store, threads=cores()), "cpu", on_epoch=on_epoch)
    manifest = store.manifest(config.run_id)
    return manifest["result"]["seconds"], manifest["provenance"]["checkpoint_seconds"], max(sizes) / 1e6


def seconds_to_list(folder: Path, runs: int = 3000) -> float:
    """Of ``dianet-lab runs list``, as a command, over a store of so many runs."""
    root = folder / "results" / "runs"
    store, config = RunStore(root), tiny()
    carry_out(Order.here(config, store), "cpu")
    first = store.folder(config.run_id)
    for number in range(runs - 1):
        copy = root / f"{config.run_id[:-8]}{number:08x}"
        shutil.copytree(first, copy)
        write_signed(copy / MANIFEST, read_signed(copy / MANIFEST) | {"run_id": copy.name})
    command, environment = [sys.executable, "-m", "dianet_lab.cli", "runs", "list"], {"DIANET_LAB_HOME": str(folder)}
    times = []
    for _ in range(3):
        began = time.perf_counter()
        done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
        times.append(time.perf_counter() - began)
        assert f"{runs:,} runs in" in done.stdout and f"{runs} finished" in done.stdout, done.stdout[-200:]
    return statistics.median(times)


def _study_and_memory(root: Path, runs: int, report: Path) -> None:
    from dianet_lab.studies import estimate

    estimate.WORTH_A_POOL = 0
    run_study(Study("s", tiny(1), arms={"DIA": {}}, seeds=range(runs)), RunStore(root), workers=cores(), device="cpu")
    report.write_text(str(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss))


def parent_memory(runs: int) -> float:
    """Peak memory, in MB, of a process that has a pool train so many tiny runs."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "memory")
        process = in_process(_study_and_memory, Path(folder, "runs"), runs, report, daemon=False)
        process.join()
        return int(report.read_text()) / 1024
