"""One notebook in a process of its own: ``python -P execute.py IN OUT --parameters JSON``.

The batch reads the exit code to tell how it ended. The process ends with its standard input, so that no notebook goes
on without the batch that started it, however that ended.
"""

import _thread
import argparse
import json
import logging
import os
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import papermill
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from papermill.exceptions import PapermillExecutionError
from traitlets.config import Config

FAILED_CELL, DEAD_KERNEL, TIMEOUT, INTERRUPTED = 10, 11, 12, 130


def execute(source: Path, target: Path, parameters: dict[str, Any], kernel: str, timeout: int | None) -> None:
    """Run a notebook by papermill; what it prints goes to this process's streams at once."""
    with tempfile.TemporaryDirectory(prefix="dianet-", ignore_cleanup_errors=True) as sockets:
        papermill.execute_notebook(
            _literal(source),
            _literal(target),
            parameters,
            kernel_name=kernel,
            progress_bar=False,
            stdout_file=sys.stdout,
            stderr_file=sys.stderr,
            execution_timeout=timeout,
            config=_transport(Path(sockets)),
        )


def _literal(path: Path) -> str:
    """A path as papermill's format string, in which ``{x}`` would be replaced."""
    return str(path.resolve()).replace("{", "{{").replace("}", "}}")


def _transport(sockets: Path) -> Config:
    """Sockets in a private folder: no port that another kernel may take first, and no other user who may connect."""
    address = str(sockets / "k")
    if os.name != "posix" or len(os.fsencode(address)) > 90:  # a socket's path has about 100 bytes
        return Config()
    return Config({"KernelManager": {"transport": "ipc", "ip": address}})


def _end_with_input() -> None:
    while os.read(0, 1024):  # not sys.stdin.read(), whose lock would still be held at exit
        pass
    _thread.interrupt_main()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--parameters", type=json.loads, default={})
    parser.add_argument("--kernel", default="python3")
    parser.add_argument("--timeout", type=int)
    arguments = parser.parse_args()
    # papermill warns of parameters as int | None, which it can't read; the batch has checked them
    logging.getLogger("papermill").setLevel(logging.ERROR)
    threading.Thread(target=_end_with_input, daemon=True).start()
    try:
        execute(arguments.source, arguments.target, arguments.parameters, arguments.kernel, arguments.timeout)
    except PapermillExecutionError:
        return FAILED_CELL
    except DeadKernelError:
        return DEAD_KERNEL
    except CellTimeoutError:
        return TIMEOUT
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


if __name__ == "__main__":
    sys.exit(main())
