"""The command line: ``dianet-lab report | train | plan | runs | data | networks | import``."""

from dianet_lab.cli.app import main

__all__ = ["main"]
