"""``dianet-lab train``: a study, a run of a file, or a run that the store has begun."""

from dataclasses import replace
from typing import Annotated, Any

import typer

from dianet_lab.cli.words import (
    Data,
    Device,
    Epochs,
    Seeds,
    TrainSize,
    Workers,
    absolute,
    changes,
    table,
    workers_of,
)
from dianet_lab.errors import ConfigError


def train(
    what: Annotated[
        str | None, typer.Argument(help="A study by name, a study's or a run's YAML file, or the id of a stored run.")
    ] = None,
    profile: Annotated[str | None, typer.Option("--profile", help="The scale; quick if not given.")] = None,
    data: Data = None,
    epochs: Epochs = None,
    train_size: TrainSize = None,
    seeds: Seeds = None,
    change: Annotated[
        list[str] | None, typer.Option("--set", help="A run's field, such as --set model.attention.reduction=8.")
    ] = None,
    workers: Workers = "auto",
    cluster: Annotated[
        str | None, typer.Option("--cluster", help="A Dask scheduler, tcp://HOST:8786, or its scheduler file.")
    ] = None,
    device: Device = "auto",
    checkpoint_every: Annotated[
        float, typer.Option("--checkpoint-every", min=0, help="Seconds between two checkpoints of a run.")
    ] = 30.0,
    keep_weights: Annotated[bool, typer.Option("--keep-weights", help="Also where the study keeps none.")] = False,
    snapshots: Annotated[
        bool, typer.Option("--snapshots", help="Keep the weights after some epochs on the way too, of every run.")
    ] = False,
) -> None:
    """Train a study, or a single run: a DIA-ResNet at the profile's scale if nothing else is named.

    What is in the store is not trained again; what was stopped or killed goes on from its checkpoint.
    """
    from dianet_lab.studies.study import Study

    found, threads = _find(what, profile, seeds=seeds, epochs=epochs, data=absolute(data), train_size=train_size)
    asked, count = changes(change or []), workers_of(workers)
    if isinstance(found, Study):
        if asked:
            raise ConfigError("--set changes a single run; a study takes --epochs, --data, --train-size and --seeds")
        if cluster and (count is not None or device != "auto"):
            raise ConfigError("--cluster has workers and devices of its own: leave --workers and --device out")
        study = replace(
            found,
            keep_weights=found.keep_weights or keep_weights,
            snapshots=found.seeds if snapshots else found.snapshots,
        )
        _train_study(study, workers=count, cluster=cluster, device=device, checkpoint_every=checkpoint_every)
        return
    if seeds is not None or count is not None or cluster:
        raise ConfigError("--seeds, --workers and --cluster belong to a study; a single run has --set seed=N")
    stored = found.run_id if what == found.run_id else None
    before = _as_before(stored, threads) if stored else {"threads": threads, "keep_weights": True, "snapshots": False}
    kept = {"keep_weights": keep_weights or before["keep_weights"], "snapshots": snapshots or before["snapshots"]}
    options = {"threads": before["threads"], "checkpoint_every": checkpoint_every, **kept}
    _train_run(_changed(found, asked, stored), device, options)


def _find(what: str | None, profile: str | None, **asked: Any) -> tuple[Any, int]:
    """The study or run that is meant, and the threads of a run."""
    from dianet_lab.config import RunConfig
    from dianet_lab.profiles import get_profile
    from dianet_lab.studies.catalog import customised
    from dianet_lab.studies.find import find
    from dianet_lab.studies.manifest import IMPORTED
    from dianet_lab.studies.state import run_ids
    from dianet_lab.studies.store import RunStore

    scale = get_profile(profile or "quick")
    if what is None:
        if asked.pop("seeds") is not None:
            raise ConfigError("--seeds belongs to a study; a single run has --set seed=N")
        return customised(scale, **asked), scale.threads
    store = RunStore()
    if what in run_ids(store.root):
        if any(value is not None for value in asked.values()) or profile:
            raise ConfigError(f"{what} is a stored run and has its scale: leave --profile and the like out")
        if what.startswith(IMPORTED):
            raise ConfigError(f"{what} was trained elsewhere: there is nothing to go on with")
        file = store.folder(what) / "config.json"
        try:
            return RunConfig.from_text(file.read_text(encoding="utf-8")), scale.threads
        except FileNotFoundError:
            why = "it was killed before its configuration was stored"
        except (UnicodeDecodeError, ConfigError):
            why = "its config.json is damaged"
        raise ConfigError(f"run {what} can't be trained by its id, since {why}: name its study or its file")
    return find(what, profile=profile, **asked), scale.threads


def _as_before(run_id: str, usual: int) -> dict[str, Any]:
    """The threads of a stored run, which decide its last bits, and whether it was to keep its weights and snapshots."""
    from dianet_lab.errors import LabError
    from dianet_lab.studies.state import CHECKPOINT
    from dianet_lab.studies.store import RunStore
    from dianet_lab.training.checkpoint import read_checkpoint

    store = RunStore()
    made = store.state(run_id).manifest.get("provenance", {})
    if not made:
        try:
            found = read_checkpoint(store.folder(run_id) / CHECKPOINT)
        except LabError:  # it will be told of when the run goes on
            found = None
        made = found[1]["parts"][-1] if found else {}
    kept = {"keep_weights": made.get("keep_weights", not made), "snapshots": made.get("snapshots", False)}
    return {"threads": made.get("threads", usual), **kept}


def _changed(config: Any, asked: dict[str, Any], stored: str | None) -> Any:
    """A run with fields changed; one that is in the store stays what it is."""
    from dianet_lab.config import differences

    changed = config.override(asked)
    if stored and changed.run_id != stored:
        raise ConfigError(
            f"{stored} can't be continued under another configuration, which is another run. They differ in "
            f"{differences(config, changed)}. To train that one: dianet-lab runs show {stored} --config > run.yaml, "
            "then dianet-lab train run.yaml with the same --set"
        )
    return changed


def _train_study(study: Any, **options: Any) -> None:
    from dianet_lab.analysis import tables
    from dianet_lab.analysis.judgement import assay_of, judge
    from dianet_lab.studies.rates import run_at_rates
    from dianet_lab.studies.store import RunStore

    store = RunStore()
    runs = run_at_rates(study, store, **options)
    title = f"{study.name}: test accuracy of the last epoch"
    arms = tables.arm_table(runs.frame, runs)
    networks = [config.model for _, config in study.configs()]
    if len({(model.backbone, model.depth, model.skip, model.norm) for model in networks}) == 1:
        title += f"; difference to {study.baseline!r} in points"
    else:  # a difference to another backbone is no result about attention
        arms = arms.drop(columns=["difference", "± points"])
    _print_whole(table(arms, tables.arm_formats(arms), title))
    asked = tables.effect_table(judge(runs, store))
    title = "the contrasts, in points; verdicts after Holm over the primary ones"
    _print_whole(table(asked, tables.effect_formats(asked), title))
    if checked := assay_of(runs):
        print(checked.sentence())
    print(
        "± is half of a 95 % t interval over the seeds." + (" THIS IS A DEMONSTRATION." if study.demonstration else "")
    )
    if (runs.everything()["status"] == "failed").any():
        raise typer.Exit(1)


def _print_whole(made: Any) -> None:
    """Print a table in its whole width, since a verdict or the name of a contrast must not be cut off in a pipe."""
    from rich.console import Console
    from rich.measure import Measurement

    usual = Console()
    whole = Measurement.get(usual, usual.options.update(max_width=1000), made).maximum
    Console(width=max(usual.width, whole)).print(made)


def _train_run(config: Any, device: str, options: dict[str, Any]) -> None:
    from dianet_lab.data.sources import load_data
    from dianet_lab.errors import LabError
    from dianet_lab.studies.store import RunStore
    from dianet_lab.studies.work import Order, carry_out
    from dianet_lab.training.device import resolve_device
    from dianet_lab.training.stop import Stop, stop_at_signals

    store, run_id = RunStore(), config.run_id
    if store.has(run_id, options["keep_weights"], options["snapshots"]):
        print(f"{run_id} is in the store; it is not trained again.")
        _print_result(store, run_id)
        return
    resolve_device(device)
    images, state = len(load_data(config.data, config.seed).train), store.state(run_id)
    known = f" ({state.status}: {state.note})" if state.note else ""
    print(f"Training {run_id} on {images:,} images for {config.train.epochs} epochs{known}", flush=True)
    order, stop = Order.here(config, store, **options), Stop()
    with stop_at_signals(stop):
        record = carry_out(order, device, stop, lambda row: _print_epoch(row, config.train.epochs))
        while record.status == "busy":
            if not order.patience:
                print(f"It is being trained by {record.note}: waiting for it.", flush=True)
            order = replace(order, patience=5.0)
            record = carry_out(order, device, stop, lambda row: _print_epoch(row, config.train.epochs))
    for remark in record.remarks:
        print(remark)
    if record.status in ("failed", "no store"):
        raise LabError(
            record.note if record.final or record.status == "no store" else f"run {run_id} failed: {record.note}"
        )
    _print_result(store, run_id)


def _print_result(store: Any, run_id: str) -> None:
    manifest = store.manifest(run_id)
    result = manifest["result"]
    if manifest["status"] == "diverged":
        print(f"diverged: the loss became NaN or infinite in epoch {result['epochs']}")
    else:
        print(
            f"last epoch: {100 * result['test_accuracy']:.2f} % of the test images "
            f"(best evaluated epoch, {result['best_epoch']}: {100 * result['best_test_accuracy']:.2f} %); "
            f"{manifest['model']['parameters']:,} parameters; {result['seconds']:.0f} s"
        )
    print(f"stored in {store.folder(run_id)}")


def _print_epoch(row: dict[str, float], total: int) -> None:
    test = f", test accuracy {100 * row['test_accuracy']:.2f} %" if "test_accuracy" in row else ""
    train = f"train loss {row['train_loss']:.3f}, accuracy {100 * row['train_accuracy']:.2f} %"
    print(f"epoch {row['epoch']}/{total}: {train}{test}, {row['images_per_second']:.0f} images/s", flush=True)
