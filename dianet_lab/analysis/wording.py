"""Sentences made of numbers, so that a report claims what its data allow and no more."""

import pandas as pd

from dianet_lab.analysis.conclusions import (
    answer,
    could_be,
    crossed_sentence,
    interaction_sentence,
    seeds_sentence,
    verdicts_sentence,
)
from dianet_lab.analysis.interval import t_interval
from dianet_lab.analysis.phrases import listed, plural, span
from dianet_lab.backbones.registry import BACKBONES
from dianet_lab.data.images import ImageData
from dianet_lab.studies.rates import Runs
from dianet_lab.studies.study import Study

__all__ = [
    "answer",
    "badge",
    "casualties_sentence",
    "could_be",
    "crossed_sentence",
    "fit_sentence",
    "interaction_sentence",
    "listed",
    "plural",
    "rates_sentence",
    "scale_sentence",
    "seeds_sentence",
    "span",
    "verdicts_sentence",
]


JPEG = "These images are JPEG-compressed: absolute accuracies are not comparable with published ones."


def badge(study: Study, train: ImageData) -> str:
    """The scale in one phrase, for example ``8x8 digits, 100 images, 6 seeds``."""
    height, width = train.images.shape[2:]
    name = f"JPEG-compressed {train.name}" if train.jpeg else train.name
    return f"{height}x{width} {name}, {len(train):,} images, {plural(len(study.seeds), 'seed')}"


def scale_sentence(study: Study, train: ImageData) -> str:
    """Where a result was seen, and that it says nothing about elsewhere."""
    model, configs = study.base.model, [config for _, config in study.configs()]
    titles = {f"{BACKBONES[c.model.backbone].title}-{c.model.depth}": None for c in configs}
    alone = len(titles) == 1
    network = f"{next(iter(titles))} of {model.block} blocks, width {model.width}" if alone else listed(titles)
    lengths = sorted({config.train.epochs for config in configs})
    epochs = plural(lengths[0], "epoch") if len(lengths) == 1 else f"{lengths[0]} to {lengths[-1]} epochs"
    says = "is a demonstration and says" if study.demonstration else "says"
    setting = f"{network}, {epochs}, accuracy of the last epoch"
    seen = f"Seen on {badge(study, train)} ({setting}), this {says} nothing about other images, networks or recipes."
    return f"{seen} {JPEG}" if train.jpeg else seen


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
    worst = finished.loc[finished["train_accuracy"].idxmin()]
    lowest = worst["train_accuracy"]
    spoken = "fits" if lowest > 0.995 else "does not fit"
    return f"The run that fits least {spoken} its training images ({worst['arm']}: {100 * lowest:.1f} % right)."


def rates_sentence(runs: Runs) -> str:
    """How many arms have a rate of their own, and for how many of them the trials can't tell it from the common one."""
    if runs.tried is None or not runs.rates:
        return "No arm has a learning rate of its own yet."
    common = runs.study.base.train.lr
    moved = {arm: rate for arm, rate in runs.rates.items() if rate != common}
    scores = runs.tried.assign(score=runs.tried["val_accuracy"].where(runs.tried["status"] == "finished", 0.0))
    table = scores.pivot(index="seed", columns=["arm", "rate"], values="score")
    gains = {arm: t_interval(table[arm, rate] - table[arm, common]) for arm, rate in moved.items()}
    unclear = [arm for arm, (_, low, _) in gains.items() if not low > 0]
    return (
        f"Of {plural(len(runs.rates), 'tuned arm')}, {len(moved)} took another rate than the common {common:g}; for "
        f"{len(unclear)} of these the trials can't tell it from the common one (95 % t interval over tuning seeds), so "
        f"their choice is partly chance. {_edges(runs)}"
    )


def _edges(runs: Runs) -> str:
    """How many arms took the lowest or the highest rate tried: their best may lie beyond it."""
    tried = runs.tried["rate"]
    edge = sum(rate in (tried.min(), tried.max()) for rate in runs.rates.values())
    ends = f"the lowest or the highest rate tried ({tried.min():g} and {tried.max():g})"
    return f"{edge} of {len(runs.rates)} took {ends}" + (": their best may lie beyond." if edge else ".")
