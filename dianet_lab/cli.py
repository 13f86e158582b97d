"""The command line: ``dianet-lab report | train | data | networks | import``."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from dianet_lab.config import RunConfig
from dianet_lab.errors import ConfigError, LabError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="DIANet Lab: ablations and analysis of one attention module shared among the blocks of a stage.",
)

CTRL_C = 130
TABLE_WIDTH = 128  # of the longest table, whose numbers must not be cut off in a pipe

Profile = Annotated[str, typer.Option("--profile", help="The scale: smoke, quick, digits, cifar10 or paper.")]
Workers = Annotated[int | None, typer.Option("--workers", help="Processes; one a core or accelerator if not given.")]
Device = Annotated[str, typer.Option("--device", help="auto, cpu, cuda, cuda:1, ...")]


@app.command()
def report(
    notebooks: Annotated[list[str] | None, typer.Argument(help="Such as 01 03; all if not given.")] = None,
    profile: Profile = "quick",
    parameter: Annotated[
        list[str] | None, typer.Option("--parameter", "-p", help="A notebook's parameter, such as -p epochs=5.")
    ] = None,
) -> None:
    """Run notebooks in batch; write an HTML report of each, and results/PROFILE/index.html."""
    from dianet_lab.reports import run_reports

    outcomes = run_reports(notebooks or None, profile, dict(_split(text, "--parameter") for text in parameter or []))
    if any(outcome.status != "ok" for outcome in outcomes):
        raise typer.Exit(1)


@app.command()
def train(
    what: Annotated[str | None, typer.Argument(help="A study by name, or a run's YAML or JSON file.")] = None,
    profile: Profile = "quick",
    data: Annotated[str | None, typer.Option(help="digits, cifar10, cifar100 or parquet:FOLDER.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Training length; the schedule is stretched with it.")] = None,
    train_size: Annotated[int | None, typer.Option(help="Training images that a seed draws.")] = None,
    seeds: Annotated[int | None, typer.Option(help="Seeds of a study.")] = None,
    change: Annotated[
        list[str] | None, typer.Option("--set", help="A run's field, such as --set model.attention.reduction=8.")
    ] = None,
    workers: Workers = None,
    device: Device = "auto",
) -> None:
    """Train a study, or a single run: a DIA-ResNet at the profile's scale if nothing else is named.

    What is in the store is not trained again; what was killed goes on from its checkpoint.
    """
    from dianet_lab.studies.catalog import STUDIES, customised, get_study

    data = _absolute(data)
    changes = _changes(change or [])
    if what in STUDIES:
        if changes:
            raise ConfigError("--set changes a single run; a study takes --epochs, --data, --train-size and --seeds")
        _train_study(
            get_study(what, profile, seeds=seeds, epochs=epochs, data=data, train_size=train_size), workers, device
        )
        return
    if seeds is not None or workers is not None:
        raise ConfigError(f"--seeds and --workers belong to a study ({', '.join(STUDIES)}); a run has --set seed=N")
    from dianet_lab.profiles import get_profile

    scale = get_profile(profile)
    if what is None:
        config = customised(scale, epochs=epochs, data=data, train_size=train_size)
    elif epochs or data or train_size:
        raise ConfigError("--epochs, --data and --train-size change a profile; change a file's run with --set")
    else:
        config = _run_from_file(what, list(STUDIES))
    _train_run(config.override(changes), scale.threads, device)


@app.command()
def data(name: Annotated[str, typer.Argument(help="cifar10 or cifar100")]) -> None:
    """Download a data set into data/, with a progress bar."""
    from dianet_lab.data.cifar import download_cifar

    download_cifar(name)
    print(f"{name} is ready.")


@app.command()
def networks() -> None:
    """Count the parameters of the networks whose counts are known, ours beside theirs."""
    from rich.console import Console

    from dianet_lab.analysis.published import compare_counts

    counts = compare_counts()
    equal = counts["equal"] == "yes"
    counts["equal"] = equal.map({True: "✓", False: "✗"})
    table = _table(counts, {"this lab": "{:,}", "of the units": "{:,}"}, "parameters; M: millions, to the digits given")
    Console(width=max(Console().width, TABLE_WIDTH)).print(table)
    print(f"{equal.sum()} of {len(counts)} are equal, to the digits given.")
    if not equal.all():
        raise typer.Exit(1)


@app.command("import")
def import_weights(
    source: Annotated[str, typer.Argument(help="Such as pytorchcv:diaresnet164bn_cifar100.")],
    name: Annotated[str, typer.Option("--name", help="Of the run imported-NAME: a-z, digits, underscores.")],
    file: Annotated[
        Path | None,
        typer.Option("--file", help="A .pth file that you have; official:dia_resnet164_cifar100 needs one."),
    ] = None,
) -> None:
    """Store a network that pytorchcv or the official code has trained as a run that notebooks can look into."""
    from dianet_lab.interop.imports import import_run
    from dianet_lab.studies.store import RunStore

    run_id, new = import_run(source, name, file)
    store = RunStore()
    manifest = store.manifest(run_id)
    model, made = manifest["model"], manifest["provenance"]
    print(
        f"{'Stored' if new else 'The same weights are there already:'} {run_id}: {made['source']}:{made['name']}, "
        f"{model['parameters']:,} parameters ({model['attention_parameters']:,} of the attention), "
        f"{model['num_classes']} classes; in {store.folder(run_id)}"
    )
    data = store.config(run_id).data.source
    print(f"Its images, if they are not there yet: dianet-lab data {data}")
    print(f"Look at it, in place of the report 10 of a profile: dianet-lab report 10 --profile paper -p run={run_id}")


def _train_study(study: Any, workers: int | None, device: str) -> None:
    from rich.console import Console

    from dianet_lab.analysis import tables
    from dianet_lab.analysis.statistics import effects
    from dianet_lab.studies.execute import run_study

    frame = run_study(study, workers=workers, device=device)
    title = f"{study.name}: test accuracy of the last epoch"
    arms = tables.arm_table(frame)
    if len({config.model.backbone for _, config in study.configs()}) == 1:
        title += f"; difference to {study.baseline!r} in points"
    else:  # a difference to another backbone is no result about attention
        arms = arms.drop(columns=["difference", "± points"])
    console = Console()
    console.print(_table(arms, tables.ARM_FORMATS, title))
    asked = tables.effect_table(effects(frame, study.contrasts))
    console.print(_table(asked, tables.EFFECT_FORMATS, "the contrasts, in points; verdicts after Holm over them"))
    print(
        "± is half of a 95 % t interval over the seeds." + (" THIS IS A DEMONSTRATION." if study.demonstration else "")
    )
    if (frame["status"] == "failed").any():
        raise typer.Exit(1)


def _table(frame: Any, formats: dict[str, str], title: str) -> Any:
    from rich.table import Table

    table = Table(*frame.columns, title=title, title_justify="left")
    for row in frame.to_dict("records"):
        shown = {name: "–" if value != value else formats.get(name, "{}").format(value) for name, value in row.items()}
        table.add_row(*shown.values())
    return table


def _train_run(config: RunConfig, threads: int, device: str) -> None:
    from dianet_lab.data.sources import load_data
    from dianet_lab.studies.execute import Order, train_into_store
    from dianet_lab.studies.store import RunStore

    store = RunStore()
    if config.run_id in store:
        print(f"{config.run_id} is in the store; it is not trained again.")
    else:
        images = len(load_data(config.data, config.seed).train)
        print(f"Training {config.run_id} on {images:,} images for {config.train.epochs} epochs", flush=True)
        total = config.train.epochs
        train_into_store(Order(config, store.root, threads), device, lambda row: _print_epoch(row, total))
    manifest = store.manifest(config.run_id)
    result = manifest["result"]
    if manifest["status"] == "diverged":
        print(f"diverged: the loss became NaN or infinite in epoch {result['epochs']}")
    else:
        print(
            f"last epoch: {100 * result['test_accuracy']:.2f} % of the test images "
            f"(best evaluated epoch, {result['best_epoch']}: {100 * result['best_test_accuracy']:.2f} %); "
            f"{manifest['model']['parameters']:,} parameters; {result['seconds']:.0f} s"
        )
    print(f"stored in {store.folder(config.run_id)}")


def _print_epoch(row: dict[str, float], total: int) -> None:
    test = f", test accuracy {100 * row['test_accuracy']:.2f} %" if "test_accuracy" in row else ""
    train = f"train loss {row['train_loss']:.3f}, accuracy {100 * row['train_accuracy']:.2f} %"
    print(f"epoch {row['epoch']}/{total}: {train}{test}, {row['images_per_second']:.0f} images/s", flush=True)


def _run_from_file(name: str, studies: list[str]) -> RunConfig:
    path = Path(name)
    if not path.is_file():
        raise ConfigError(f"{name!r} is neither a study ({', '.join(studies)}) nor a file")
    try:
        return RunConfig.from_text(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{name} can't be read as text ({error}); expected a run's YAML or JSON file") from None


def _absolute(data: str | None) -> str | None:
    """A folder given on the command line is relative to where the user stands, not to the lab's folder."""
    if data and data.startswith("parquet:"):
        return f"parquet:{Path(data.removeprefix('parquet:')).expanduser().resolve()}"
    return data


def _changes(texts: list[str]) -> dict[str, Any]:
    """``--set`` words as a dictionary; values are read as YAML (numbers, true, null, lists, text)."""
    changes = {}
    for text in texts:
        name, value = _split(text, "--set")
        try:
            changes[name] = yaml.safe_load(value) if value else ""
        except yaml.YAMLError:
            changes[name] = value
    return changes


def _split(text: str, option: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise ConfigError(f"{option}: got {text!r}, expected NAME=VALUE")
    return name, value


def main() -> None:
    """Entry point: the lab's own errors are shown as one message, without a traceback."""
    try:
        app()
    except LabError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        print(f"error: {error.strerror or error}{where}: is there room, and may you write there?", file=sys.stderr)
        sys.exit(2)
    except SystemExit as end:
        if end.code == CTRL_C:  # typer has caught the KeyboardInterrupt
            print("\nStopped. What was finished is stored: the same command goes on from there.", file=sys.stderr)
        raise


if __name__ == "__main__":
    main()
