"""A study: a base configuration, the arms that differ from it, the seeds, and the contrasts named before the run."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dianet_lab.config import RunConfig
from dianet_lab.errors import ConfigError, LabError, unknown_name
from dianet_lab.profiles import Profile
from dianet_lab.studies.contrast import Contrast


def dotted(section: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """``{"lr": 0.1}`` of the section ``train`` as changes of a run: ``{"train.lr": 0.1}``."""
    return {f"{section}.{name}": value for name, value in values.items()}


@dataclass(frozen=True)
class Tuning:
    """How each arm's own learning rate is found: on validation images, with seeds of its own, at the same cost for all.

    Args:
        arms: which arms.
        rates: the learning rates that each of them tries.
        seeds: of the trials; none of them may be a seed of the study.
    """

    arms: Sequence[str]
    rates: Sequence[float]
    seeds: Sequence[int]


@dataclass(frozen=True)
class Study:
    """A grid of runs in which, for one seed, all arms see the same images in the same order from the same start.

    Args:
        name: what its rows are called.
        base: what the arms have in common.
        factors: dotted field -> values; every combination is an arm, named like ``depth=8, width=16``.
        arms: further arms by name, each with its dotted changes of the base.
        seeds: the seeds of every arm that has none of its own.
        arm_seeds: arm -> its seeds, where it has fewer, being exploratory.
        baseline: the arm that the others are compared with; the first one if not given.
        contrasts: the comparisons named before the run; each arm against the baseline if not given.
        tuning: how arms find a learning rate of their own; None: all stay at the base's.
        planned: the number of seeds that was fixed before any run; more of them make the result an extended one.
        scale: what it was built at, where it is of the catalogue: what its sister studies are built at too.
        threads: CPU threads of one run.
        keep_weights: whether its runs keep their trained weights, for notebooks that look into the networks.
        snapshots: the seeds whose runs keep their weights on the way too, after some epochs.
        demonstration: whether the scale is too small for evidence; a report then says so in large letters.

    Raises:
        ConfigError: no arm, a change that does not fit, two arms that are the same, two contrasts of one name, a
            contrast or a tuning over an unknown arm, seeds of an arm or of a tuning that do not fit, a tuning without
            validation images.
    """

    name: str
    base: RunConfig
    factors: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    arms: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    seeds: Sequence[int] = tuple(range(6))
    baseline: str = ""
    contrasts: Sequence[Contrast] = ()
    arm_seeds: Mapping[str, Sequence[int]] = field(default_factory=dict)
    tuning: Tuning | None = None
    planned: int | None = None
    scale: Profile | None = None
    threads: int = 1
    keep_weights: bool = False
    snapshots: Sequence[int] = ()
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
        mentioned = [baseline, *(arm for contrast in contrasts for arm in contrast.arms), *self.arm_seeds]
        for name in mentioned + list(self.tuning.arms if self.tuning else ()):
            if name not in arms:
                raise unknown_name(f"arm of study {self.name!r}", name, arms)
        names = [contrast.name for contrast in contrasts]
        if len(set(names)) < len(names):
            twin = next(name for name in names if names.count(name) > 1)
            raise ConfigError(f"study {self.name!r} has two contrasts called {twin!r}: give each a name of its own")
        for attribute, value in (("arms", arms), ("baseline", baseline), ("contrasts", contrasts)):
            object.__setattr__(self, attribute, value)
        object.__setattr__(self, "seeds", tuple(self.seeds))
        object.__setattr__(self, "snapshots", tuple(self.snapshots))
        self._check_seeds()
        self._refuse_twins()
        self._check_tuning()

    @property
    def extended(self) -> bool:
        """Whether there are more seeds than were planned before any run."""
        return self.planned is not None and len(self.seeds) > self.planned

    def seeds_of(self, arm: str) -> tuple[int, ...]:
        """The seeds of one arm."""
        return tuple(self.arm_seeds.get(arm, self.seeds))

    def keeps(self, seed: int) -> dict[str, bool]:
        """What the runs of one seed keep, as ``weights`` and ``snapshots`` of :meth:`RunStore.has`."""
        return {"weights": self.keep_weights or seed in self.snapshots, "snapshots": seed in self.snapshots}

    def configs(self) -> list[tuple[str, RunConfig]]:
        """Every run as ``(arm, configuration)``, seed by seed, so that a study that is cut short is still paired."""
        return [(arm, self.config(arm, seed)) for seed in self.seeds for arm in self.arms if seed in self.seeds_of(arm)]

    def config(self, arm: str, seed: int) -> RunConfig:
        """The configuration of one arm and seed."""
        return self.base.override({**self.arms[arm], "seed": seed})

    def _check_seeds(self) -> None:
        if len(set(self.seeds)) < len(self.seeds):
            raise ConfigError(f"study {self.name!r}: got seeds {list(self.seeds)}, expected each once")
        for arm, seeds in self.arm_seeds.items():
            if not seeds or not set(seeds) <= set(self.seeds):
                raise ConfigError(
                    f"study {self.name!r}, arm {arm!r}: got seeds {list(seeds)}, expected some of {list(self.seeds)}"
                )
        if strange := [seed for seed in self.snapshots if seed not in self.seeds]:
            raise ConfigError(
                f"study {self.name!r}, snapshots: got seed {strange[0]}, expected some of {list(self.seeds)}"
            )
        if self.tuning and (both := sorted(set(self.tuning.seeds) & set(self.seeds))):
            raise ConfigError(f"study {self.name!r}: seed {both[0]} is for tuning and can't be one of its own too")

    def _check_tuning(self) -> None:
        if not self.tuning:
            return
        for name in ("arms", "rates", "seeds"):
            values = list(getattr(self.tuning, name))
            if not values or len(set(values)) < len(values):
                raise ConfigError(f"study {self.name!r}: its tuning has {name} {values}, expected some, each once")
        if blind := [arm for arm in self.tuning.arms if not self.config(arm, self.seeds[0]).data.val_size]:
            raise ConfigError(
                f"study {self.name!r}: a learning rate is chosen on validation images, and arm {blind[0]!r} has none: "
                "give data.val_size"
            )

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
