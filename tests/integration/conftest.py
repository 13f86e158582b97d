"""What tests of the command line share."""

import sys
from urllib.error import URLError

import pytest

from dianet_lab.cli import main


@pytest.fixture
def lab(monkeypatch, capsys):
    """Run ``dianet-lab ...`` without a network; returns (exit code, stdout, stderr)."""

    def no_network(*args, **options):
        raise URLError("no network")

    monkeypatch.setattr("urllib.request.urlopen", no_network)

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["dianet-lab", *words])
        with pytest.raises(SystemExit) as stop:
            main()
        return (stop.value.code or 0, *capsys.readouterr())

    return run
