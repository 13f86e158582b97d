"""A comparison that is written down before any run: which arms, which difference matters, what may be concluded."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dianet_lab.errors import ConfigError


@dataclass(frozen=True)
class Contrast:
    """A weighted difference of arms.

    Args:
        name: what its row is called.
        weights: arm -> weight; they sum to 0, or to 1 where there are rivals.
        delta: the smallest difference of accuracy (0 to 1) that matters.
        primary: whether it is one of the family over which Holm's correction is made, and gets a verdict. What is not
            is exploratory: an estimate with its interval.
        best_of: rivals, of which the best counts. "Better" is said only where the weighted arms beat each of them (an
            intersection-union test), so that no rival has to be chosen after looking.

    Raises:
        ConfigError: weights that don't sum to 0 (1 with rivals), or a delta that is not above 0.
    """

    name: str
    weights: Mapping[str, float]
    delta: float = 0.01
    primary: bool = True
    best_of: Sequence[str] = ()

    def __post_init__(self):
        goal = 1 if self.best_of else 0
        if abs(sum(self.weights.values()) - goal) > 1e-9:
            why = " because best_of subtracts a rival" if goal else ""
            raise ConfigError(f"contrast {self.name!r}: its weights must sum to {goal}{why}, got {dict(self.weights)}")
        if both := [arm for arm in self.best_of if arm in self.weights]:
            raise ConfigError(f"contrast {self.name!r}: {both[0]!r} can't be its own rival")
        if not self.delta > 0:
            raise ConfigError(f"contrast {self.name!r}: delta must be above 0, got {self.delta}")
        object.__setattr__(self, "best_of", tuple(self.best_of))

    @property
    def arms(self) -> list[str]:
        """Every arm that it looks at."""
        return [*self.weights, *self.best_of]

    def parts(self) -> dict[str, dict[str, float]]:
        """The differences that it consists of, by rival; a contrast without rivals is a single one, called ``""``."""
        if not self.best_of:
            return {"": dict(self.weights)}
        return {rival: {**self.weights, rival: -1.0} for rival in self.best_of}


def minus(one: str, *others: str, delta: float = 0.01, primary: bool = False) -> list[Contrast]:
    """``one`` minus each of ``others``, called ``one - other``."""
    return [Contrast(f"{one} - {other}", {one: 1, other: -1}, delta, primary) for other in others]
