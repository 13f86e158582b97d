"""Sentences made of numbers, so that a report claims what its data allow and no more."""

import math
from collections.abc import Iterable, Sequence

import pandas as pd

from dianet_lab.analysis.interval import points, written
from dianet_lab.backbones.registry import BACKBONES
from dianet_lab.data.images import ImageData
from dianet_lab.studies.study import Study


def plural(count: int, noun: str) -> str:
    """``1 seed``, ``6 seeds``."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def badge(study: Study, train: ImageData) -> str:
    """The scale in one phrase, for example ``8x8 digits, 100 images, 6 seeds``."""
    height, width = train.images.shape[2:]
    return f"{height}x{width} {train.name}, {len(train):,} images, {plural(len(study.seeds), 'seed')}"


def scale_sentence(study: Study, train: ImageData) -> str:
    """Where a result was seen, and that it says nothing about elsewhere."""
    model, configs = study.base.model, [config for _, config in study.configs()]
    network = f"ResNet-{model.depth} of {model.block} blocks, width {model.width}"
    titles = {f"{BACKBONES[c.model.backbone].title}-{c.model.depth}": None for c in configs}
    network = network if len(titles) == 1 else listed(titles)
    lengths = sorted({config.train.epochs for config in configs})
    epochs = plural(lengths[0], "epoch") if len(lengths) == 1 else f"{lengths[0]} to {lengths[-1]} epochs"
    says = "is a demonstration and says" if study.demonstration else "says"
    setting = f"{network}, {epochs}, accuracy of the last epoch"
    return f"Seen on {badge(study, train)} ({setting}), this {says} nothing about other images, networks or recipes."


def answer(subject: str, effects: pd.DataFrame, names: Sequence[str] | None = None, accuracy: bool = True) -> str:
    """One sentence: whether ``subject`` is decided, and the numbers of its contrasts.

    ``Whether it helps is undecided here: DIA - plain +0.5 points [−0.3, +1.3] (95 % t intervals over 6 seeds).``

    Args:
        effects: rows of :func:`~dianet_lab.analysis.statistics.effects`.
        names: which contrasts; all otherwise.
        accuracy: the values are accuracies, told in points; else they keep their own unit, and more is ``higher``.
    """
    rows = effects if names is None else effects.set_index("contrast", drop=False).loc[list(names)]
    decided = (rows["verdict"] != "undecided").sum()
    state = "undecided here" if not decided else "decided here" if decided == len(rows) else "decided here in part"
    seeds = rows["n"].min()
    how = f"95 % t intervals over {plural(int(seeds), 'seed')}" if seeds > 1 else "too few seeds for an interval"
    numbers = "; ".join(_estimate(row, accuracy, decided) for _, row in rows.iterrows())
    return f"{subject} is {state}: {numbers} ({how})."


def _estimate(effect: pd.Series, accuracy: bool, decided: int) -> str:
    """``DIA - plain +0.5 points [−0.3, +1.3]``, with its verdict where another contrast is decided."""
    shown = points if accuracy else lambda value: written(value, 3, "+")
    text = f"{effect['contrast']} {shown(effect['estimate'])}" + (" points" if accuracy else "")
    if not math.isfinite(effect["estimate"]):
        return f"{effect['contrast']} unknown"
    if math.isfinite(effect["low"]):
        text += f" [{shown(effect['low'])}, {shown(effect['high'])}]"
    words = {} if accuracy else {"better": "higher", "worse": "lower"}
    notes = [words.get(effect["verdict"], effect["verdict"])] if decided else []
    if effect["low"] > 0 or effect["high"] < 0:  # then Holm's correction is what decides
        known = math.isfinite(effect["p_holm"])
        notes.append(f"p = {effect['p_holm']:.2g} after Holm" if known else "ties, no spread to test with")
    return f"{text} ({', '.join(notes)})" if notes else text


def seeds_sentence(effects: pd.DataFrame) -> str:
    """How many seeds the undecided contrasts would take, with the fewest and the most."""
    needed = effects.loc[effects["verdict"] == "undecided", "seeds_needed"].dropna()
    if needed.empty:
        return "No undecided contrast has a known spread, so no number of seeds can be given."
    return (
        f"With the spread measured here, the undecided contrasts would take {span(needed, 0)} seeds to find the "
        "smallest difference that matters with 80 % power."
    )


def verdicts_sentence(effects: pd.DataFrame) -> str:
    """How many contrasts of a family are decided, by name."""
    decided = effects[effects["verdict"] != "undecided"]
    family = f"Of {plural(len(effects), 'contrast')} named before the run"
    if decided.empty:
        return f"{family}, none is decided: every interval covers zero, or Holm's correction leaves it open."
    names = listed(f"{row.contrast} ({row.verdict})" for row in decided.itertuples())
    return f"{family}, {len(decided)} decided: {names}."


def casualties_sentence(frame: pd.DataFrame) -> str:
    """How many runs diverged or failed, arm by arm; they are missing from every mean."""
    bad = frame[frame["status"] != "finished"]
    if bad.empty:
        return f"All {plural(len(frame), 'run')} finished; none diverged or failed."
    counts = bad.groupby(["arm", "status"], sort=False).size()
    names = listed(f"{arm} ({count} {status})" for (arm, status), count in counts.items())
    return f"{len(bad)} of {len(frame)} runs did not finish and are missing from the means: {names}."


def fit_sentence(frame: pd.DataFrame) -> str:
    """Whether the runs were trained to the end: the lowest accuracy on the training images."""
    finished = frame[frame["status"] == "finished"]
    if finished.empty:
        return "No run finished."
    lowest = finished["train_accuracy"].min()
    spoken = "fits" if lowest > 0.995 else "does not fit"
    return f"The run that fits least {spoken} its training images ({100 * lowest:.1f} % of them right)."


def span(values: Iterable[float], digits: int = 2) -> str:
    """``0.21 to 0.34``, or ``0.21`` where they agree to so many digits."""
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return "unknown"
    low, high = (written(value, digits) for value in (min(finite), max(finite)))
    return low if low == high else f"{low} to {high}"


def listed(names: Iterable[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    *first, last = list(names)
    return f"{', '.join(first)} and {last}" if first else last
