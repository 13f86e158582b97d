"""Getting a run's claim, or waiting until the process that has it is done."""

import time
from collections.abc import Callable

from dianet_lab.errors import LabError
from dianet_lab.studies.claims import Claim, Holder, Watch, try_claim
from dianet_lab.studies.store import RunStore
from dianet_lab.studies.upkeep import writing
from dianet_lab.training.stop import Stop

LOOK_EVERY = 0.2
"""Seconds between two looks at a run that another process trains."""

_watch = Watch()


def wait_for_claim(
    store: RunStore,
    run_id: str,
    patience: float,
    stop: Stop,
    weights: bool = False,
    snapshots: bool = False,
    lost: Callable[[], None] = lambda: None,
    finished_will_do: bool = True,
) -> Claim | Holder | None:
    """The claim on a run; None if it is finished meanwhile; or who holds it after ``patience`` seconds.

    Args:
        weights, snapshots: whether a finished run must have its weights, and those on its way.
        lost: called when the claim has been taken over.
        finished_will_do: whether to look if another process has finished it; else it is waited for in any case.

    Raises:
        StoreError: the store can't be written.
        Interrupted: it was asked to stop.
    """
    until = time.monotonic() + patience
    while True:
        stop.check()
        with writing(store.root):
            claim = try_claim(store.root, run_id, _watch, lost)
        if isinstance(claim, Claim):
            return claim
        if finished_will_do and store.has(run_id, weights, snapshots):
            return None
        if time.monotonic() >= until:
            return claim
        time.sleep(LOOK_EVERY)


def claim_on(store: RunStore, run_id: str, patience: float = 60.0) -> Claim:
    """The claim on a run, for a short piece of work other than training it.

    Raises:
        LabError: another process has it.
    """
    claim = wait_for_claim(store, run_id, patience, Stop(), finished_will_do=False)
    if isinstance(claim, Claim):
        return claim
    raise LabError(f"run {run_id} is in use by {claim}: wait until it is done")
