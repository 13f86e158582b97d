"""The arms of the lab by name. An arm has one name everywhere, so that its runs are shared and its colour is fixed."""

from collections.abc import Iterable, Mapping
from typing import Any

from dianet_lab.config import RunConfig
from dianet_lab.errors import unknown_name
from dianet_lab.studies.catalog import matching

Changes = Mapping[str, Any]

_A = "model.attention."
_PLAIN = {_A + "unit": "none"}


def _unit(name: str, **options: Any) -> dict[str, Any]:
    return {_A + "unit": name} | {_A + option: value for option, value in options.items()}


def _gentle(width: int) -> dict[str, Any]:
    return _PLAIN | {"model.branch_gain": 0.25, "model.width": width}


def _dia(**options: Any) -> dict[str, Any]:
    return {_A + option: value for option, value in options.items()}


ARMS: dict[str, Changes] = {
    "plain": _PLAIN,
    "plain, gain 0.25": _PLAIN | {"model.branch_gain": 0.25},
    "plain, gain 0": _PLAIN | {"model.branch_gain": 0.0},
    "constant 0.25": _unit("constant"),
    "static per block": _unit("static", sharing="none"),
    "scalar per block": _unit("scalar", sharing="none"),
    "DIA": {},
    "DIA, neutral start": _dia(neutral=True),
    "shared, no memory": _dia(memory="none"),
    "shared, no memory, embedding": _dia(memory="none", layer_embedding=True),
    "clock": _dia(memory="clock"),
    "detached": _dia(memory="detached"),
    "per block, carried": _dia(sharing="none"),
    "per block, no memory": _dia(sharing="none", memory="none"),
    "per block, tied start": _dia(sharing="none", tied_init=True),
    "groups of 2": _dia(sharing=2),
    "groups of 3": _dia(sharing=3),
    "from block 1": _dia(share_from=1),
    "from block 3": _dia(share_from=3),
    "SE per block": _unit("se", sharing="none", reduction=16),
    "SE per block, start 0.25": _unit("se", sharing="none", reduction=16, gate_start=0.25),
    "SE shared": _unit("se", reduction=16),
    "tanh": _dia(activation="tanh"),
    "sigmoid(c-4)": _dia(activation="sigmoid(c-4)"),
    "tanh(c+0.549)": _dia(activation="tanh(c+0.549)"),
    "tanh(c/3+0.549)": _dia(activation="tanh(c/3+0.549)"),
    "relu": _dia(activation="relu"),
    "hardsigmoid": _dia(activation="hardsigmoid"),
    "identity": _dia(activation="identity"),
    "r=1": _dia(reduction=1),
    "r=2": _dia(reduction=2),
    "r=8": _dia(reduction=8),
    "r=16": _dia(reduction=16),
    "no bottleneck": _dia(reduction=None),
    "no output gate": _dia(output_gate=False),
    "no forget gate": _dia(forget_gate=False),
    "2 cells": _dia(cells=2),
    "3 cells": _dia(cells=3),
    "4 cells": _dia(cells=4),
    "GRU": _unit("gru"),
    "GRU per block": _unit("gru", sharing="none"),
    "RNN": _unit("rnn"),
    "RNN per block": _unit("rnn", sharing="none"),
    "ECA shared": _unit("eca"),
    "ECA per block": _unit("eca", sharing="none"),
    "CBAM shared": _unit("cbam", reduction=16),
    "CBAM per block": _unit("cbam", sharing="none", reduction=16),
    "IE shared": _unit("ie"),
    "IE per block": _unit("ie", sharing="none"),
}
"""Arm -> its changes of a base whose attention is the default: the DIA-LSTM, shared, carried, sigmoid, r = 4."""

RELATIVE = {
    "plain, half width": lambda base: _PLAIN | {"model.width": max(1, base.model.width // 2)},
    "gain 0.25, wider": lambda base: _gentle(matching.plain_width(base.model, _dia(sharing="none"))),
    "gain 0.25, size of r=1": lambda base: _gentle(matching.plain_width(base.model, _dia(reduction=1))),
    "DIA, widened": lambda base: _dia(hidden=matching.shared_hidden(base.model)),
    "per block, rate x n": lambda base: _dia(sharing="none") | _rate(base.model.blocks_per_stage),
    "DIA, rate / n": lambda base: _rate(1 / base.model.blocks_per_stage),
}
"""Arms whose changes follow from the base: sizes that match another arm's, and n, the blocks of a stage.

A plain network that is widened starts gently too, or its difference would be that of the start, not of the size.
"""

STARTS = ("plain", "plain, gain 0.25", "plain, gain 0", "constant 0.25", "static per block")
"""What DIA must beat to have helped: the plain network, and what starts as gently as it but sees no image.

After a norm, a constant gate is a reparametrisation of that norm's gamma: ``constant 0.25`` computes what
``plain, gain 0.25`` computes, but its gamma starts at 1 and so learns at a sixteenth of the rate.
"""

YARDSTICK = "plain, half width"
"""An arm that is known to be worse than ``plain``: a setting that can't tell the two apart can't call arms equal."""

CORE = (*STARTS, "DIA", "DIA, neutral start", YARDSTICK)
"""In every study of the ResNet, with all seeds and with a learning rate of their own."""


def _rate(factor: float) -> dict[str, Any]:
    return {"train.attention_lr_scale": factor} if factor != 1 else {}


def arm_changes(base: RunConfig, names: Iterable[str]) -> dict[str, Changes]:
    """The changes of each arm, in the order of the names, each once.

    Raises:
        ConfigError: an unknown name.
    """
    found: dict[str, Changes] = {}
    for name in names:
        if name not in ARMS and name not in RELATIVE:
            raise unknown_name("arm", name, [*ARMS, *RELATIVE])
        found[name] = ARMS[name] if name in ARMS else RELATIVE[name](base)
    return found
