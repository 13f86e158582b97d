"""``dianet-lab runs``: what is in the store, whether it is whole, and what may be thrown away."""

from pathlib import Path
from typing import Annotated, Any

import typer

from dianet_lab.errors import ConfigError, LabError, suggestion, unknown_name
from dianet_lab.paths import results_folder
from dianet_lab.studies.state import STATES, RunState, run_ids, run_state, run_states

app = typer.Typer(no_args_is_help=True, help="List, show, verify and prune the runs of the store.")

Ids = Annotated[list[str] | None, typer.Argument(help="Ids, or their beginnings; all runs if none is given.")]


def _root() -> Path:
    return results_folder() / "runs"


@app.command("list")
def list_runs(
    status: Annotated[
        list[str] | None, typer.Option("--status", help=f"Only these: {', '.join(STATES)}. May be repeated.")
    ] = None,
) -> None:
    """One line a run: its state, test accuracy, epochs, time and size."""
    for name in status or []:
        if name not in STATES:
            raise unknown_name("status", name, STATES)
    root = _root()
    states = list(run_states(root))
    shown = [state for state in states if not status or state.status in status]
    width = max((len(state.run_id) for state in shown), default=0)
    for state in shown:
        print(f"{state.run_id:<{width}}  {state.status:<11}  {_summary(state)}".rstrip())
    print(_counts(states, root))


def _summary(state: RunState) -> str:
    result, size = state.manifest.get("result", {}), sum(f["bytes"] for f in state.manifest.get("files", {}).values())
    accuracy = result.get("test_accuracy")
    parts = [
        f"{100 * accuracy:6.2f} %" if accuracy is not None else "",
        f"{result['epochs']:>4} epochs" if "epochs" in result else "",
        f"{result['seconds']:>8.1f} s" if "seconds" in result else "",
        f"{size / 1e6:>7.2f} MB" if size else "",
        state.note,
    ]
    return "  ".join(part for part in parts if part)


def _counts(states: list[RunState], root: Path) -> str:
    if not states:
        return f"No runs in {root}."
    found = [state.status for state in states]
    counts = ", ".join(f"{found.count(status)} {status}" for status in STATES if status in found)
    return f"{len(states):,} runs in {root}: {counts}."


def _resolve(root: Path, ids: list[str]) -> list[str]:
    """Whole ids of what the user has typed.

    Raises:
        ConfigError: no run, or more than one, begins so.
    """
    known, found = run_ids(root), []
    for typed in ids:
        fitting = [run_id for run_id in known if run_id.startswith(typed)]
        fitting = [typed] if typed in fitting else fitting
        if not fitting:
            raise ConfigError(
                f"no run in {root} is called {typed!r}{suggestion(typed, known)}: see dianet-lab runs list"
            )
        if len(fitting) > 1:
            raise ConfigError(
                f"{typed!r} begins the ids of {len(fitting)} runs: {', '.join(fitting[:5])} ...; type more"
            )
        found += fitting
    return found


@app.command()
def show(
    run: Annotated[str, typer.Argument(help="An id, or its beginning.")],
    config: Annotated[bool, typer.Option("--config", help="Only its configuration, as YAML, to be saved.")] = False,
) -> None:
    """What a run was asked, what came out, where it was made; of a failed one, why."""
    import yaml

    from dianet_lab.config import RunConfig

    (run_id,) = _resolve(root := _root(), [run])
    path, asked = root / run_id / "config.json", None
    try:
        asked = RunConfig.from_text(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        pass
    except (UnicodeDecodeError, LabError):
        print(f"{path} is damaged: it is no configuration.")
    if config:
        if asked is None:
            raise LabError(f"run {run_id} has no config.json that can be read")
        print(asked.to_yaml(), end="")
        return
    state = run_state(root, run_id)
    note = f", {state.note}" if state.note else ""
    print(f"{run_id}: {state.status}{note}\n({STATES[state.status]}; in {root / run_id})")
    sections: dict[str, Any] = {"asked, where it differs from the defaults": asked.asked() if asked else {}}
    sections |= {name: state.manifest[name] for name in ("result", "model", "provenance", "files") if state.manifest}
    for title, values in sections.items():
        if values:
            print(f"\n{title}:\n" + yaml.safe_dump(values, sort_keys=False, default_flow_style=False), end="")
    _print_event(root / run_id, state)


def _print_event(folder: Path, state: RunState) -> None:
    from dianet_lab.studies.state import last_event

    event = last_event(folder)
    if state.status == "failed":
        print(f"\nattempts so far: {event.get('attempts', 1)}\n{event.get('traceback', '')}".rstrip())
    if state.status in ("failed", "interrupted", "pending"):
        print(f"\nGo on with: dianet-lab train {state.run_id}, or with the command of its study.")


@app.command()
def verify(
    runs: Ids = None,
    aside: Annotated[
        bool, typer.Option("--aside", help="Move damaged runs aside, so that their study trains them again.")
    ] = False,
) -> None:
    """Read every file of every run and compare it with its SHA-256; the exit code is 1 if any run is damaged."""
    from dianet_lab.studies.store import RunStore
    from dianet_lab.studies.verify import verify_run

    store = RunStore(_root())
    ids = _resolve(store.root, runs) if runs else run_ids(store.root)
    damaged = 0
    for run_id in ids:
        if not verify_run(store, run_id) or not (problem := verify_run(store, run_id)):
            continue  # what is being written at the moment of the first look is whole at the second
        damaged += 1
        print(f"{run_id}: {problem.text}", flush=True)
        if aside:
            print(f"  {_set_aside(store, run_id)}", flush=True)
    print(f"{len(ids):,} runs verified in {store.root}, {damaged} damaged.")
    if damaged and not aside:
        print("With --aside they are moved aside, and their study trains them again.")
        raise typer.Exit(1)


def _set_aside(store: Any, run_id: str) -> str:
    from dianet_lab.studies.upkeep import move_aside
    from dianet_lab.studies.verify import verify_run
    from dianet_lab.studies.waiting import claim_on

    try:
        with claim_on(store, run_id):
            problem = verify_run(store, run_id)  # another process may have trained it again meanwhile
            return f"moved to {move_aside(store.root, run_id, problem.files)}" if problem else "mended meanwhile"
    except LabError as error:
        return f"left where it is: {error}"


@app.command()
def prune(
    status: Annotated[
        list[str] | None,
        typer.Option("--status", help="Remove whole runs in this state: failed, interrupted, pending or diverged."),
    ] = None,
    weights: Annotated[
        bool, typer.Option("--weights", help="Remove the trained weights, and keep the results.")
    ] = False,
    aside: Annotated[bool, typer.Option("--damaged", help="Remove what was moved aside as damaged.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without, only say what would be removed.")] = False,
) -> None:
    """Remove leftovers of killed processes, and what the options name. Without --yes it only says what."""
    from dianet_lab.studies.prune import prune_store

    root, removed = _root(), 0
    for path, size in prune_store(root, status or [], weights=weights, aside=aside, remove=yes):
        removed += size
        print(f"{'removed' if yes else 'would remove'} {path.relative_to(root)} ({size / 1e6:.2f} MB)")
    print(f"{removed / 1e6:.2f} MB {'freed' if yes else 'could be freed; with --yes it is done'} in {root}.")
