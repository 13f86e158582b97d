"""``dianet-lab plan``: what a study will cost, before anything long starts."""

from typing import Annotated, Any

import typer

from dianet_lab.cli.words import Data, Device, Epochs, Seeds, TrainSize, Workers, absolute, table, workers_of

WIDTH = 128  # numbers must not be cut off in a pipe
FORMATS = {"parameters": "{:,}", "MACs": "{:,}", "s/epoch": "{:.2f}", "MB at work": "{:.1f}", "MB kept": "{:.1f}"}


def plan(
    what: Annotated[str, typer.Argument(help="A study by name, or its YAML file.")],
    profile: Annotated[str | None, typer.Option("--profile", help="The scale; quick if not given.")] = None,
    data: Data = None,
    epochs: Epochs = None,
    train_size: TrainSize = None,
    seeds: Seeds = None,
    workers: Workers = "auto",
    device: Device = "auto",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Build every network and take one step of it instead.")
    ] = False,
    as_yaml: Annotated[
        bool, typer.Option("--yaml", help="Print the study as a YAML file instead, to be edited.")
    ] = False,
) -> None:
    """Say how many runs of a study are missing, and what they take: parameters, MACs, hours on this machine, disk.

    The trials that choose each arm's learning rate and the runs at it are counted too. Then, how many seeds the primary
    contrasts need, from the spread that is measured so far.
    """
    from dianet_lab.studies.find import find_study

    study = find_study(what, profile=profile, seeds=seeds, epochs=epochs, data=absolute(data), train_size=train_size)
    if as_yaml:
        from dianet_lab.studies.export import study_to_yaml

        print(study_to_yaml(study), end="")
        return
    if dry_run:
        _print_dry_run(study, device)
        return
    from rich.console import Console

    from dianet_lab.studies.execute import devices_for
    from dianet_lab.studies.plan import plan as plan_of
    from dianet_lab.studies.plan import totals
    from dianet_lab.studies.progress import duration
    from dianet_lab.studies.rates import further_runs
    from dianet_lab.studies.store import RunStore

    store = RunStore()
    configs = [config for _, config in study.configs()]
    ids = [config.run_id for config in configs]
    missing = [config.run_id for config in configs if not store.has(config.run_id, **study.keeps(config.seed))]
    further = further_runs(study, store)
    left = len(missing) + sum(further.values())
    devices = devices_for(device, workers_of(workers), study.threads, max(1, left))
    costs = plan_of(study, missing, devices[0], _timing, further)
    total = totals(costs, len(devices))
    costs["missing take"] = (3600 * costs["hours"]).map(duration)
    names = {"epoch_seconds": "s/epoch", "training_mb": "MB at work", "kept_mb": "MB kept"}
    shown = ["arm", "runs", "missing", "parameters", "MACs", "s/epoch", "missing take", "MB at work", "MB kept"]
    title = f"{study.name}: {len(ids)} runs, {len(missing)} of them not in the store"
    if sum(further.values()):
        title += f", and up to {sum(further.values())} to find and use each arm's own learning rate"
    drawn = table(costs.rename(columns=names)[shown], FORMATS, title)
    Console(width=max(Console().width, WIDTH)).print(drawn)
    _print_power(study, store)
    if not left:
        print("Nothing is left to train.")
        return
    workers = f"{len(devices)} workers" if len(devices) > 1 else "1 worker"
    print(
        f"About {duration(3600 * total.hours)} with {workers} here, and up to {total.mb:,.0f} MB in {store.root}.\n"
        "Times are from a few steps with nothing else running; workers share memory and are slower. MACs: of one image."
    )


def _timing(arm: str) -> None:
    print(f"timing a few steps of {arm!r}", flush=True)


def _print_power(study: Any, store: Any) -> None:
    """How many seeds the primary contrasts need, where a study of the catalogue has any."""
    from rich.console import Console

    from dianet_lab.analysis.planning import DETECT, FAMILY, spread_table

    spreads = spread_table(study, store)
    if spreads.empty:
        return
    spreads[["spread", "detects"]] *= 100
    names = {"spread": "spread (points)", "n": "seeds seen", "detects": "detects (points)"}
    names |= {"needs": "seeds needed", "planned": "seeds planned"}
    formats = {"spread (points)": "{:.2f}", "detects (points)": "{:.3g}", "seeds needed": "{:.0f}"}
    title = f"seeds that detect {DETECT:g} times what matters with 80 % power after Holm over {FAMILY} contrasts"
    Console(width=max(Console().width, WIDTH)).print(table(spreads.rename(columns=names), formats, title))


def _print_dry_run(study: Any, device: str) -> None:
    from rich.console import Console

    from dianet_lab.studies.dry_run import dry_run

    steps = dry_run(study, device, lambda arm: print(f"one step of {arm!r}", flush=True))
    drawn = table(steps, {"parameters": "{:,}", "loss": "{:.3f}"}, f"{study.name}: one step of each network")
    Console(width=max(Console().width, WIDTH)).print(drawn)
    print(f"All {len(steps)} networks of {len(study.arms)} arms were built and took a step.")
