"""The official recipe as it is reported, by its best epoch, beside a stronger one that is reported by its last."""

import pandas as pd

from dianet_lab.analysis.statistics import effects
from dianet_lab.errors import DataError
from dianet_lab.studies.contrast import Contrast

BEST, LAST, STRONG = RECIPES = ("official, best epoch", "official, last epoch", "strong, last epoch")
SOURCES = {
    BEST: ("official", "best_test_accuracy"),
    LAST: ("official", "test_accuracy"),
    STRONG: ("strong", "test_accuracy"),
}
"""Recipe as reported -> how the study calls the recipe, and which accuracy of its runs is reported."""

WEAKNESS = "gain of DIA: official best epoch - strong last epoch"


def as_reported(frame: pd.DataFrame) -> pd.DataFrame:
    """One row a run and way to report it: ``recipe`` (of :data:`RECIPES`), ``arm``, ``seed``, ``accuracy`` (0 to 1).

    An official run has two rows. ``accuracy`` is NaN where the run is lost or not there yet.

    Args:
        frame: one row a run: arm (called like ``official: DIA``), seed, status, test_accuracy, best_test_accuracy; the
            best of an official run is that of all epochs.

    Raises:
        DataError: an arm of neither recipe.
    """
    parts = frame["arm"].str.extract(r"^(?P<recipe>official|strong): (?P<name>.+)$")
    if (unknown := parts["name"].isna()).any():
        raise DataError(f"arm {frame.loc[unknown, 'arm'].iloc[0]!r}: expected a name like 'official: DIA'")
    rows = []
    for label, (recipe, value) in SOURCES.items():
        chosen = parts["recipe"] == recipe
        arm, seed = parts.loc[chosen, "name"], frame.loc[chosen, "seed"]
        accuracy = frame.loc[chosen, value].where(frame.loc[chosen, "status"] == "finished")
        rows.append(pd.DataFrame({"recipe": label, "arm": arm, "seed": seed, "accuracy": accuracy}))
    return pd.concat(rows, ignore_index=True)


def recipe_effects(frame: pd.DataFrame, delta: float) -> pd.DataFrame:
    """What the way of reporting makes of a gain, in rows of :func:`~dianet_lab.analysis.statistics.effects`.

    DIA's gain over plain as the official code reports it, the same under the strong recipe, and their difference: how
    much of the first the baseline's weakness and the choice of the epoch make up; the weakness alone, by last epochs,
    is a contrast of the study. Then best minus last epoch, which can't be negative: its size is the question, and its
    test against 0 means nothing. All exploratory, paired by seed.

    Args:
        frame: as of :func:`as_reported`.
        delta: the smallest difference of accuracy that matters (0 to 1).
    """
    long = as_reported(frame)
    states = frame[["arm", "seed", "status"]].rename(columns={"arm": "run"})
    runs = pd.DataFrame(
        {
            "arm": long["recipe"] + ": " + long["arm"],
            "run": long["recipe"].map({label: source[0] for label, source in SOURCES.items()}) + ": " + long["arm"],
            "seed": long["seed"],
            "test_accuracy": long["accuracy"],
        }
    ).merge(states, on=["run", "seed"])
    return effects(runs, [contrast for contrast in _contrasts(delta) if set(contrast.arms) <= set(runs["arm"])])


def _contrasts(delta: float) -> list[Contrast]:
    def gain(recipe: str, sign: int = 1) -> dict[str, float]:
        return {f"{recipe}: DIA": sign, f"{recipe}: plain": -sign}

    weights = {
        WEAKNESS: gain(BEST) | gain(STRONG, -1),
        "gain of DIA: official best epoch": gain(BEST),
        "gain of DIA: official last epoch": gain(LAST),
        "gain of DIA: strong last epoch": gain(STRONG),
        "gain of DIA: official best epoch - last epoch": gain(BEST) | gain(LAST, -1),
        "best epoch - last epoch (plain)": {f"{BEST}: plain": 1, f"{LAST}: plain": -1},
        "best epoch - last epoch (DIA)": {f"{BEST}: DIA": 1, f"{LAST}: DIA": -1},
    }
    return [Contrast(name, parts, delta, primary=False) for name, parts in weights.items()]
