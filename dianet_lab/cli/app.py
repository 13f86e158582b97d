"""The entry point. Commands import what they need when they are called, so that help and lists come at once."""

import signal
import sys

import typer

from dianet_lab.cli import claims, lab, plan, runs, train
from dianet_lab.errors import LabError
from dianet_lab.training.stop import Interrupted

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="DIANet Lab: ablations and analysis of one attention module shared among the blocks of a stage.",
)
app.command()(lab.report)
app.command()(train.train)
app.command()(plan.plan)
app.command()(claims.claims)
app.add_typer(runs.app, name="runs")
app.command()(lab.data)
app.command()(lab.networks)
app.command("import")(lab.import_weights)

CTRL_C = 130


def main() -> None:
    """Run a command; the lab's own errors are shown as one message, without a traceback."""
    try:
        app()
    except LabError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except BrokenPipeError:  # the reader of a pipe, such as head, has seen enough
        sys.stderr.close()
        sys.exit(0)
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        print(f"error: {error.strerror or error}{where}: is there room, and may you write there?", file=sys.stderr)
        sys.exit(2)
    except Interrupted as stopped:  # by a signal to which the process has an answer of its own
        print(f"\nStopped by {stopped.reason}. The same command goes on from the last checkpoints.", file=sys.stderr)
        sys.exit(128 + signal.SIGTERM)
    except SystemExit as end:
        if end.code == CTRL_C:  # typer has caught the KeyboardInterrupt
            print("\nStopped. The same command goes on from the last checkpoints.", file=sys.stderr)
        raise
