"""A study: a base configuration, the arms that differ from it, the seeds, and the contrasts named before the run."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dianet_lab.config import RunConfig
from dianet_lab.errors import ConfigError, LabError, unknown_name


def dotted(section: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """``{"lr": 0.1}`` of the section ``train`` as changes of a run: ``{"train.lr": 0.1}``."""
    return {f"{section}.{name}": value for name, value in values.items()}


@dataclass(frozen=True)
class Contrast:
    """A weighted difference of arms, and ``delta``, the smallest difference of accuracy (0 to 1) that matters."""

    name: str
    weights: Mapping[str, float]
    delta: float = 0.01

    def __post_init__(self):
        if abs(sum(self.weights.values())) > 1e-9:
            raise ConfigError(f"contrast {self.name!r}: its weights must sum to 0, got {dict(self.weights)}")
        if not self.delta > 0:
            raise ConfigError(f"contrast {self.name!r}: delta must be above 0, got {self.delta}")


@dataclass(frozen=True)
class Study:
    """A grid of runs in which, for one seed, all arms see the same images in the same order from the same start.

    Args:
        name: what its rows are called.
        base: what the arms have in common.
        factors: dotted field -> values; every combination is an arm, named like ``depth=8, width=16``.
        arms: further arms by name, each with its dotted changes of the base.
        seeds: the seeds of every arm.
        baseline: the arm that the others are compared with; the first one if not given.
        contrasts: the comparisons named before the run; each arm against the baseline if not given.
        threads: CPU threads of one run.
        keep_weights: whether its runs keep their trained weights, for notebooks that look into the networks.
        demonstration: whether the scale is too small for evidence; a report then says so in large letters.

    Raises:
        ConfigError: no arm, a change that does not fit, two arms that are the same, two contrasts of one name, a
            contrast over an unknown arm.
    """

    name: str
    base: RunConfig
    factors: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    arms: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    seeds: Sequence[int] = tuple(range(6))
    baseline: str = ""
    contrasts: Sequence[Contrast] = ()
    threads: int = 1
    keep_weights: bool = False
    demonstration: bool = False

    def __post_init__(self):
        grid = self._grid()
        if twice := [arm for arm in grid if self.arms.get(arm, grid[arm]) != grid[arm]]:
            raise ConfigError(f"study {self.name!r}: arm {twice[0]!r} is one of its factors' already: rename it")
        arms = grid | dict(self.arms)
        if not arms or not self.seeds:
            raise ConfigError(f"study {self.name!r} has no {'seeds' if arms else 'arms'}: give at least one")
        baseline = self.baseline or next(iter(arms))
        contrasts = tuple(self.contrasts) or tuple(
            Contrast(f"{arm} - {baseline}", {arm: 1, baseline: -1}) for arm in arms if arm != baseline
        )
        for name in [baseline, *(arm for contrast in contrasts for arm in contrast.weights)]:
            if name not in arms:
                raise unknown_name(f"arm of study {self.name!r}", name, arms)
        names = [contrast.name for contrast in contrasts]
        if len(set(names)) < len(names):
            twin = next(name for name in names if names.count(name) > 1)
            raise ConfigError(f"study {self.name!r} has two contrasts called {twin!r}: give each a name of its own")
        for attribute, value in (("arms", arms), ("baseline", baseline), ("contrasts", contrasts)):
            object.__setattr__(self, attribute, value)
        object.__setattr__(self, "seeds", tuple(self.seeds))
        if len(set(self.seeds)) < len(self.seeds):
            raise ConfigError(f"study {self.name!r}: got seeds {list(self.seeds)}, expected each once")
        self._refuse_twins()

    def configs(self) -> list[tuple[str, RunConfig]]:
        """Every run as ``(arm, configuration)``, seed by seed, so that a study that is cut short is still paired."""
        return [(arm, self.config(arm, seed)) for seed in self.seeds for arm in self.arms]

    def config(self, arm: str, seed: int) -> RunConfig:
        """The configuration of one arm and seed."""
        return self.base.override({**self.arms[arm], "seed": seed})

    def _grid(self) -> dict[str, dict[str, Any]]:
        if not self.factors:
            return {}
        grid = {}
        for values in itertools.product(*self.factors.values()):
            changes = dict(zip(self.factors, values, strict=True))
            grid[", ".join(f"{path.rpartition('.')[2]}={value}" for path, value in changes.items())] = changes
        return grid

    def _refuse_twins(self) -> None:
        first: dict[str, str] = {}
        for arm in self.arms:
            try:
                run_id = self.config(arm, self.seeds[0]).run_id
            except LabError as error:
                raise type(error)(f"study {self.name!r}, arm {arm!r}: {error}") from None
            twin = first.setdefault(run_id, arm)
            if twin != arm:
                raise ConfigError(f"study {self.name!r}: arms {twin!r} and {arm!r} are the same configuration")
