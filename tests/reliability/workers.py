"""A Dask cluster that loses a worker in mid-run: the study ends complete, and equal to what one process gives."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

import distributed

from dianet_lab.studies.claims import newest
from dianet_lab.studies.execute import run_study
from dianet_lab.studies.state import CHECKPOINT
from dianet_lab.studies.store import RunStore
from dianet_lab.studies.study import Study
from dianet_lab.training.checkpoint import read_checkpoint
from tests.reliability.tiny import bits, leftovers, tiny, wait_until

PLAIN = {"model.attention.unit": "none", "model.attention.cells": 1}


@contextmanager
def local_cluster(workers: int = 2) -> Iterator[distributed.LocalCluster]:
    """Worker processes of one thread, with a nanny each, as ``dask worker`` starts them."""
    options = {"n_workers": workers, "threads_per_worker": 1, "processes": True, "dashboard_address": None}
    with distributed.LocalCluster(**options, memory_limit=0) as cluster:
        yield cluster


def _advanced(root: Path) -> list[str]:
    """The ids of runs under way whose checkpoint is beyond the fourth epoch, but far from the end."""
    found = {path.parent.name: read_checkpoint(path) for path in root.glob(f"*/{CHECKPOINT}")}
    return [run_id for run_id, saved in found.items() if saved and 4 < saved[1]["state"]["epoch"] < 40]


@dataclass(frozen=True)
class Outcome:
    """How many runs there were, how many have the bits of the local study, and how many went on from a checkpoint."""

    runs: int
    identical: int
    resumed: int
    left: list[str]


def lose_a_worker(folder: Path, epochs: int = 100, seeds: int = 2) -> Outcome:
    """Kill a worker as soon as it has a checkpoint, and compare with a study of one process."""
    study = Study("s", tiny(epochs), arms={"DIA": {}, "plain": PLAIN}, seeds=range(seeds))
    here, there = RunStore(folder / "here"), RunStore(folder / "there")
    with local_cluster() as cluster:
        options = {"cluster": cluster.scheduler_address, "checkpoint_every": 0}
        study_thread = Thread(target=lambda: frames.append(run_study(study, there, **options)))
        frames: list = []
        study_thread.start()
        advanced: list[str] = []
        wait_until(lambda: advanced.extend(_advanced(there.root)) or bool(advanced))
        os.kill(newest(there.root, advanced[0]).holder.pid, signal.SIGKILL)
        study_thread.join()
    run_study(study, here, workers=1)
    ids = [config.run_id for _, config in study.configs()]
    identical = sum(bits(here, run_id) == bits(there, run_id) for run_id in ids if run_id in there)
    resumed = int((frames[0]["resumed_at"] > 0).sum())
    return Outcome(len(ids), identical, resumed, leftovers(there))
