"""The tables of a report: the lab's frames in percent and points, with the columns that a reader needs."""

import pandas as pd

from dianet_lab.analysis.estimates import all_needed
from dianet_lab.analysis.statistics import summarise
from dianet_lab.analysis.verdict import EXPLORATORY
from dianet_lab.studies.contrast import Contrast
from dianet_lab.studies.rates import Runs
from dianet_lab.studies.study import Study

PERCENT, POINTS, COUNT = "{:z.1f}", "{:+z.1f}", "{:,.0f}"

ARM_FORMATS = {
    "seeds": COUNT,
    "test (%)": PERCENT,
    "±": PERCENT,
    "best epoch": PERCENT,
    "difference": POINTS,
    "± points": PERCENT,
}

EFFECT_FORMATS = {
    "points": POINTS,
    "±": PERCENT,
    "p (Holm)": "{:.2g}",
    "matters": "{:g}",
    "needs": COUNT,
}
"""Of the columns that every table of effects has; :func:`effect_formats` has those that a given one has."""

CONTRAST_FORMATS = {"matters": "{:g}"}

COST_FORMATS = {"parameters": COUNT, "of the units": COUNT, "share (%)": PERCENT, "s a run": PERCENT}


OWN_ARM_FORMATS = {"own lr": "{:g}", "test at own (%)": PERCENT, "± own": PERCENT}


def arm_table(frame: pd.DataFrame, runs: Runs | None = None) -> pd.DataFrame:
    """One row an arm: accuracies in %, and the paired difference to the baseline in points, with 95 % t intervals.

    Columns ``diverged`` and ``failed`` are there only if a run did. Show it with ``formats=arm_formats(table)``.

    Args:
        frame: the runs at the common learning rate.
        runs: where they tell it, each tuned arm's own learning rate and its accuracy there stand beside it.
    """
    summary = summarise(frame).set_index("arm")
    finished = frame[frame["status"] == "finished"].groupby("arm")
    table = pd.DataFrame({"seeds": summary["n"]})
    for status in ("diverged", "failed"):
        if summary[status].any():
            table[status] = summary[status]
    table["test (%)"] = 100 * summary["mean"]
    table["±"] = 100 * (summary["high"] - summary["mean"])
    table["best epoch"] = 100 * finished["best_test_accuracy"].mean()
    table["difference"] = 100 * summary["difference"]
    table["± points"] = 100 * (summary["difference_high"] - summary["difference"])
    if runs is not None and runs.own is not None:
        own = summarise(runs.own).set_index("arm").reindex(table.index)
        table["own lr"] = pd.Series(runs.rates).reindex(table.index)
        table["test at own (%)"] = 100 * own["mean"]
        table["± own"] = 100 * (own["high"] - own["mean"])
    return table.reset_index()


def arm_formats(table: pd.DataFrame) -> dict[str, str]:
    """How the columns of an :func:`arm_table` are shown."""
    return {column: spec for column, spec in (ARM_FORMATS | OWN_ARM_FORMATS).items() if column in table}


def effect_table(effects: pd.DataFrame) -> pd.DataFrame:
    """One row a contrast, in points with half of its 95 % paired t interval.

    ``matters`` is the smallest difference that matters, ``needs`` how many seeds would find it with 80 % power, by the
    larger spread of both learning rates. The verdict is for primary contrasts; an exploratory one has none, and no p.
    There only if known: ``lost`` (seeds
    without the contrast, as an arm diverged or failed), ``p (equal)`` (of the two one-sided tests, after Holm),
    ``hardest rival``, ``± images too`` (half of the interval for new seeds and new test images), ``own rate``,
    ``± own`` and ``lost own`` (with each arm's own learning rate), ``common / own`` (the verdicts at both rates, where
    they are not the same).

    Show it with ``formats=effect_formats(table)``.

    Args:
        effects: rows of :func:`~dianet_lab.analysis.statistics.effects`, or of ``by_learning_rate``.
    """
    table = pd.DataFrame({"contrast": effects["contrast"]})
    if effects["rival"].ne("").any():
        table["hardest rival"] = effects["rival"].replace("", "–")
    table["seeds"] = effects["n"]
    if effects["lost"].any():
        table["lost"] = effects["lost"]
    table["points"] = 100 * effects["estimate"]
    table["±"] = 100 * (effects["high"] - effects["estimate"])
    if effects["crossed_high"].notna().any():
        table["± images too"] = 50 * (effects["crossed_high"] - effects["crossed_low"])
    if "own_estimate" in effects and effects["own_estimate"].notna().any():
        table["own rate"] = 100 * effects["own_estimate"]
        table["± own"] = 100 * (effects["own_high"] - effects["own_estimate"])
    if "own_lost" in effects and effects["own_lost"].fillna(0).any():
        table["lost own"] = effects["own_lost"]
    table["p (Holm)"] = effects["p_holm"]
    if effects["p_equal_holm"].notna().any():
        table["p (equal)"] = effects["p_equal_holm"]
    table["verdict"] = said = effects["verdict"]
    if "extended" in effects:  # seeds were added after looking
        plain = effects["extended"].ne(True) | said.eq(EXPLORATORY)
        table["verdict"] = said.where(plain, said + " (extended)")
    if (both := _both_rates(effects)).ne("–").any():
        table["common / own"] = both
    table["matters"] = _in_points(effects["delta"])
    table["needs"] = [all_needed(effect) for _, effect in effects.iterrows()]
    return table


def _both_rates(effects: pd.DataFrame) -> pd.Series:
    """``better / undecided`` of a primary contrast, ``–`` where one rate is unknown or both say the same."""
    if "verdict_own" not in effects:
        return pd.Series("–", effects.index)
    common, own = effects["verdict_common"], effects["verdict_own"]
    return (common + " / " + own).where(own.ne("") & own.ne(common), "–")


def effect_formats(table: pd.DataFrame) -> dict[str, str]:
    """How the columns of an :func:`effect_table` are written, those that it has."""
    formats = EFFECT_FORMATS | {"± images too": PERCENT, "own rate": POINTS, "± own": PERCENT, "p (equal)": "{:.2g}"}
    formats["lost own"] = COUNT
    return {column: formats[column] for column in table if column in formats}


def contrast_table(study: Study) -> pd.DataFrame:
    """What is compared with what: one row a contrast, its arms with their weights, in points what matters.

    ``kind`` is primary (with a verdict, and in the family that Holm's correction is over) or exploratory.
    """

    def side(contrast: Contrast, sign: int) -> str:
        chosen = {arm: abs(weight) for arm, weight in contrast.weights.items() if weight * sign > 0}
        arms = [arm if weight == 1 else f"{weight:g} × {arm}" for arm, weight in chosen.items()]
        if sign < 0 and contrast.best_of:
            arms.append(f"the best of: {', '.join(contrast.best_of)}")
        return " + ".join(arms)

    rows = [
        {"contrast": c.name, "plus": side(c, 1), "minus": side(c, -1)}
        | {"kind": "primary" if c.primary else "exploratory", "matters": c.delta}
        for c in study.contrasts
    ]
    table = pd.DataFrame(rows, columns=["contrast", "plus", "minus", "kind", "matters"])
    return table.assign(matters=_in_points(table["matters"]))


def _in_points(fractions: pd.Series) -> pd.Series:
    """In points, without the digits that binary fractions add."""
    return (100 * fractions.astype(float)).round(6)


def epochs_to_fit(history: pd.DataFrame, level: float = 0.9) -> pd.Series:
    """The first epoch with a training accuracy of at least ``level``, mean over seeds; NaN where a seed has none."""
    reached = history[history["train_accuracy"] >= level].groupby(["arm", "seed"], sort=False)["epoch"].min()
    every = history.groupby(["arm", "seed"], sort=False).size().index
    return reached.reindex(every).groupby("arm", sort=False).agg(lambda epochs: epochs.mean(skipna=False))


def cost_table(frame: pd.DataFrame) -> pd.DataFrame:
    """What each arm costs: parameters, those of its units and their share, the hidden width q of each stage, time."""
    columns = {"parameters": "max", "attention_parameters": "max", "hidden": "first", "seconds": "median"}
    costs = frame.groupby("arm", sort=False).agg(columns)
    table = pd.DataFrame({"parameters": costs["parameters"], "of the units": costs["attention_parameters"]})
    table["share (%)"] = 100 * table["of the units"] / table["parameters"]
    table["q by stage"] = costs["hidden"]
    table["s a run"] = costs["seconds"]
    return table.reset_index()
