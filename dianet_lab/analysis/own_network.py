"""A network of the user's own, with an attached unit, for the notebooks that look into gates.

It is named ``FILE.py:FUNCTION``, where ``FUNCTION(trained: bool)`` returns the network: with ``trained=False`` as it
was before training, which is the control. It maps images ``[batch, channel, height, width]``, normalised as the lab
does, to logits ``[batch, class]``; ``examples/resnet18_digits.py`` is one.
"""

import runpy
from pathlib import Path

from torch import nn

from dianet_lab.analysis.points import attentions
from dianet_lab.errors import LabError
from dianet_lab.paths import in_home


def names_own(run: str) -> bool:
    """Whether a parameter ``run`` names a network of the user's own; no id of a stored run has a colon."""
    return ".py:" in run


def load_own(name: str) -> tuple[nn.Module, nn.Module]:
    """The network, trained and untrained, both in eval mode. The file is run as Python code: name only one you trust.

    Raises:
        LabError: no such file or function, what it returns is no network, or has no attention; what it raises, in a
            sentence.
    """
    file, _, function = name.rpartition(":")
    path = in_home(file)
    if not path.is_file():
        raise LabError(f"run: there is no file {file}; expected FILE.py:FUNCTION, relative to the lab's folder")
    try:
        made = runpy.run_path(str(path)).get(function)
        if not callable(made):
            raise LabError(f"run: {file} has no function {function!r}, which returns the network")
        pair = made(trained=True), made(trained=False)
    except LabError:
        raise
    except Exception as error:
        raise LabError(f"run: {Path(file).name} failed: {type(error).__name__}: {error}") from error
    for model in pair:
        if not isinstance(model, nn.Module):
            raise LabError(f"run: {function} returned a {type(model).__name__}, expected an nn.Module")
        attentions(model)
    return pair[0].eval(), pair[1].eval()
