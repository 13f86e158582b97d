"""Commands of the whole lab: reports, data sets, known networks, foreign weights."""

from pathlib import Path
from typing import Annotated

import typer

from dianet_lab.cli.words import Profile, split, table

TABLE_WIDTH = 128  # of the longest table, whose numbers must not be cut off in a pipe


def report(
    notebooks: Annotated[list[str] | None, typer.Argument(help="Such as 01 03; all if not given.")] = None,
    profile: Profile = "quick",
    parameter: Annotated[
        list[str] | None, typer.Option("--parameter", "-p", help="A notebook's parameter, such as -p epochs=5.")
    ] = None,
) -> None:
    """Run notebooks in batch; write an HTML report of each, and results/PROFILE/index.html."""
    from dianet_lab.reports import run_reports

    outcomes = run_reports(notebooks or None, profile, dict(split(text, "--parameter") for text in parameter or []))
    if any(outcome.status != "ok" for outcome in outcomes):
        raise typer.Exit(1)


def data(name: Annotated[str, typer.Argument(help="cifar10 or cifar100")]) -> None:
    """Download a data set into data/, with a progress bar."""
    from dianet_lab.data.cifar import download_cifar

    download_cifar(name)
    print(f"{name} is ready.")


def networks() -> None:
    """Count the parameters of the networks whose counts are known, ours beside theirs."""
    from rich.console import Console

    from dianet_lab.analysis.published import compare_counts

    counts = compare_counts()
    equal = counts["equal"] == "yes"
    counts["equal"] = equal.map({True: "✓", False: "✗"})
    title = "parameters; M: millions, to the digits given"
    drawn = table(counts, {"this lab": "{:,}", "of the units": "{:,}"}, title)
    Console(width=max(Console().width, TABLE_WIDTH)).print(drawn)
    print(f"{equal.sum()} of {len(counts)} are equal, to the digits given.")
    if not equal.all():
        raise typer.Exit(1)


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
