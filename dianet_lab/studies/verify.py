"""Whether everything that the store has of a run is as it was written."""

from dataclasses import dataclass

from dianet_lab.errors import LabError
from dianet_lab.studies.state import CHECKPOINT, EVENT, event_problem
from dianet_lab.studies.store import RunStore
from dianet_lab.training.checkpoint import read_checkpoint


@dataclass(frozen=True)
class Problem:
    """What is wrong with a run; ``files`` are those that must go, None if it is all of them."""

    text: str
    files: list[str] | None = None


def verify_run(store: RunStore, run_id: str) -> Problem | None:
    """Read all files of a run; a run that is not finished has a checkpoint and perhaps a note of its last event."""
    if problem := store.problem(run_id):
        return Problem(problem)
    folder = store.folder(run_id)
    if store.has(run_id):
        return None
    try:
        found = read_checkpoint(folder / CHECKPOINT)
        if found and found[0].run_id != run_id:
            return Problem(f"{CHECKPOINT} is that of another run, {found[0].run_id}", [CHECKPOINT])
    except LabError as error:
        return Problem(str(error), [CHECKPOINT])
    problem = event_problem(folder) if (folder / EVENT).exists() else None
    return Problem(problem, [EVENT]) if problem else None
