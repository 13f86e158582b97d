"""The tables of a report: the lab's frames in percent and points, with the columns that a reader needs."""

from collections.abc import Mapping

import pandas as pd

from dianet_lab.analysis.statistics import summarise
from dianet_lab.studies.study import Study

PERCENT, POINTS, COUNT = "{:.1f}", "{:+.1f}", "{:,.0f}"

ARM_FORMATS = {
    "seeds": COUNT,
    "test (%)": PERCENT,
    "±": PERCENT,
    "best epoch": PERCENT,
    "difference": POINTS,
    "± points": PERCENT,
}

EFFECT_FORMATS = {"points": POINTS, "±": PERCENT, "p (Holm)": "{:.2g}", "matters": "{:g}", "needs": COUNT}

COST_FORMATS = {"parameters": COUNT, "of the units": COUNT, "share (%)": PERCENT, "s a run": PERCENT}


def arm_table(frame: pd.DataFrame) -> pd.DataFrame:
    """One row an arm: accuracies in %, and the paired difference to the baseline in points, with 95 % t intervals.

    Columns ``diverged`` and ``failed`` are there only if a run did.
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
    return table.reset_index()


def effect_table(effects: pd.DataFrame) -> pd.DataFrame:
    """One row a contrast, in points with its 95 % t interval.

    ``matters`` is the smallest difference that matters, ``needs`` how many seeds would find it with 80 % power.
    """
    table = pd.DataFrame({"contrast": effects["contrast"], "seeds": effects["n"]})
    table["points"] = 100 * effects["estimate"]
    table["±"] = 100 * (effects["high"] - effects["estimate"])
    table["p (Holm)"] = effects["p_holm"]
    table["verdict"] = effects["verdict"]
    table["matters"] = 100 * effects["delta"]
    table["needs"] = effects["seeds_needed"]
    return table


def contrast_table(study: Study) -> pd.DataFrame:
    """What is compared with what: one row a contrast, its arms with their weights."""

    def side(weights: Mapping[str, float], sign: int) -> str:
        chosen = {arm: abs(weight) for arm, weight in weights.items() if weight * sign > 0}
        return " + ".join(arm if weight == 1 else f"{weight:g} × {arm}" for arm, weight in chosen.items())

    rows = [{"contrast": c.name, "plus": side(c.weights, 1), "minus": side(c.weights, -1)} for c in study.contrasts]
    return pd.DataFrame(rows)


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
