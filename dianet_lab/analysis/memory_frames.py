"""The measures of :mod:`~dianet_lab.analysis.memory` over the networks of a study, in tidy frames."""

from collections.abc import Iterable
from typing import NamedTuple

import pandas as pd

from dianet_lab.analysis.gates import Network
from dianet_lab.analysis.memory import by_distance, forget_effects, reach, state_effects
from dianet_lab.analysis.points import attentions
from dianet_lab.analysis.subject import Subject
from dianet_lab.errors import LabError

WHICH = ["arm", "seed"]


class MemoryFrames(NamedTuple):
    """``gates``, ``outputs`` and ``forget`` as in :mod:`~dianet_lab.analysis.memory`, with ``arm`` and ``seed``.

    The arm of an untrained network ends in ``, untrained``.
    """

    gates: pd.DataFrame
    outputs: pd.DataFrame
    forget: pd.DataFrame


def measure_memory(networks: Iterable[Network], limit: int) -> MemoryFrames:
    """Intervene on the states of each network, for ``limit`` of the test images that it is shown.

    Raises:
        LabError: a network without a memory; none with two blocks a stage.
    """
    parts: tuple[list, list, list] = ([], [], [])
    for network in networks:
        which, model, images, train = network
        found = [*state_effects(model, images, train, limit, which["seed"])]
        found.append(forget_effects(model, images, train, limit))
        for kept, frame in zip(parts, found, strict=True):
            kept.append(frame.assign(arm=network.name, seed=which["seed"]))
    found = MemoryFrames(*(pd.concat(kept, ignore_index=True) for kept in parts))
    if found.gates.empty:
        raise LabError("no stage of these networks has two blocks with a gate, so no state goes from one to another")
    return found


def arms_with_memory(seen: Subject) -> list[str]:
    """The arms of a subject whose units look at a state.

    Raises:
        LabError: none does, so that there is no memory to change.
    """
    first = {arm: next(iter(seen.networks([arm], ["end"])), None) for arm in seen.arms}  # None: no run finished
    units = {arm: [u for a in attentions(net.model) for u in a.units] for arm, net in first.items() if net}
    found = [arm for arm, each in units.items() if all(getattr(unit, "recurrent", False) for unit in each)]
    if not found:
        raise LabError(f"{', '.join(seen.arms)}: the units have no memory, so there is none to change or to follow")
    return found


def distance_curves(gates: pd.DataFrame) -> pd.DataFrame:
    """``arm, seed, kind, mode, stage, distance, effect``: mean over the sources."""
    return by_distance(gates[[*WHICH, "kind", "mode", "stage", "source", "target", "effect"]])


def reaches(curves: pd.DataFrame) -> pd.DataFrame:
    """``arm, seed, kind, mode, stage, reach``: see :func:`~dianet_lab.analysis.memory.reach`."""
    groups = curves.groupby([*WHICH, "kind", "mode", "stage"], sort=False)
    return pd.DataFrame([dict(zip(groups.keys, key, strict=True)) | {"reach": reach(part)} for key, part in groups])


def halvings(curves: pd.DataFrame) -> pd.DataFrame:
    """``arm, seed, kind, mode, stage, kept``: what is left of an effect after one layer more, a geometric mean.

    From distance 1 to the farthest that still moves a gate by more than rounding (1e-4 of its deviation).
    """
    rows = []
    for key, part in curves.groupby([*WHICH, "kind", "mode", "stage"], sort=False):
        ordered = part[part["effect"] > 1e-4].sort_values("distance")
        near, far = (ordered.iloc[at] for at in (0, -1)) if len(ordered) > 1 else (None, None)
        kept = float("nan") if near is None else (far.effect / near.effect) ** (1 / (far.distance - near.distance))
        rows.append(dict(zip([*WHICH, "kind", "mode", "stage"], key, strict=True)) | {"kept": kept})
    return pd.DataFrame(rows)
