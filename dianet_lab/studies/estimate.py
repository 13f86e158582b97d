"""How long the missing runs will take, from stored runs or from a few timed steps."""

import statistics

from dianet_lab.config import RunConfig
from dianet_lab.data.sources import load_data
from dianet_lab.studies.pace import measure_pace
from dianet_lab.studies.progress import duration
from dianet_lab.studies.store import RunStore
from dianet_lab.studies.study import Study

WORTH_A_POOL = 12.0
"""Seconds of work below which starting a pool, each process of which imports PyTorch, takes longer than it saves."""


def announce(study: Study, store: RunStore, pending: list[tuple[str, RunConfig]], devices: list[str]) -> list[str]:
    """Say how many runs a study lacks and about how long they will take; returns the devices that are worth using."""
    each, how = seconds_per_run(study, store, pending, devices[0])
    if each * len(pending) < WORTH_A_POOL:
        devices = devices[:1]
    total = each * len(pending) / len(devices)
    workers = f"{len(devices)} worker{'s' if len(devices) > 1 else ''}"
    print(
        f"{study.name}: {len(study.configs())} runs, {len(pending)} of them not in the store; "
        f"about {duration(total)} on {workers} ({each:.1f} s a run, {how})",
        flush=True,
    )
    return devices


def seconds_per_run(
    study: Study, store: RunStore, pending: list[tuple[str, RunConfig]], device: str
) -> tuple[float, str]:
    """Seconds of one run of a study, and where the figure is from.

    From the study's own stored runs where there are any; else from a few steps of one of its arms.
    """
    missing = {config.run_id for _, config in pending}
    stored = [config.run_id for _, config in study.configs() if config.run_id not in missing]
    if stored:
        seconds = [store.manifest(run_id)["result"]["seconds"] for run_id in stored]
        return statistics.median(seconds), "as the stored ones took"
    arm, config = pending[min(len(study.arms), len(pending)) // 2]
    splits = load_data(config.data, config.seed)
    return measure_pace(config, splits, device, study.threads).of_run(
        config, splits
    ), f"timed on a few steps of {arm!r}"
