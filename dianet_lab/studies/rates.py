"""Each arm's own learning rate, and a study's runs at the common rate and at the own ones.

A comparison at one rate is a comparison of how well that rate suits each arm. So every core arm tries the same rates
with the same tuning seeds, its own is the one that is best on validation images, by more than chance, and the study is
run at both. Test images choose nothing. What is found at own rates is conditional on that choice: no interval counts
that other tuning seeds might have chosen otherwise.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import pandas as pd

from dianet_lab.studies.execute import run_study
from dianet_lab.studies.frame import study_frame
from dianet_lab.studies.store import RunStore
from dianet_lab.studies.study import Study


def tuning_study(study: Study) -> Study | None:
    """The trials: every tuned arm at every rate, called like ``DIA, rate 0.3``; None where nothing is tuned."""
    if study.tuning is None:
        return None
    arms = {
        trial_name(arm, rate): {**study.arms[arm], "train.lr": rate}
        for arm in study.tuning.arms
        for rate in study.tuning.rates
    }
    return replace(
        study, name=f"{study.name}, tuning", arms=arms, factors={}, seeds=study.tuning.seeds, arm_seeds={},
        baseline="", contrasts=(), tuning=None, planned=None, keep_weights=False,
        snapshots=(),
    )  # fmt: skip


def trial_name(arm: str, rate: float) -> str:
    return f"{arm}, rate {rate:g}"


def trials(study: Study, frame: pd.DataFrame) -> pd.DataFrame:
    """The tuning's frame with the columns ``arm`` (as the study calls it) and ``rate``."""
    named = {trial_name(arm, rate): (arm, rate) for arm in study.tuning.arms for rate in study.tuning.rates}
    arms, rates = zip(*(named[trial] for trial in frame["arm"]), strict=True)
    return frame.assign(arm=arms, rate=rates)


def further_runs(study: Study, store: RunStore) -> dict[str, int]:
    """How many runs beside its own a study still needs, by arm: the trials, and those at an own rate.

    An arm whose rate is not known yet counts as if all its seeds had to be run again: the most that can be needed.
    """
    trying = tuning_study(study)
    if trying is None:
        return {}
    tried = trials(study, study_frame(trying, store))
    lacking = ~tried["run_id"].map(store.has).astype(bool)
    further = lacking.groupby(tried["arm"]).sum().to_dict()
    rates = own_rates(tried, study.base.train.lr)
    for arm in study.tuning.arms:
        if arm not in rates:
            further[arm] += len(study.seeds_of(arm))
    if own := at_own_rates(study, rates):
        known = {config.run_id for _, config in study.configs()}
        for arm, config in own.configs():
            further[arm] += config.run_id not in known and not store.has(config.run_id, **own.keeps(config.seed))
    return further


def own_rates(tried: pd.DataFrame, common: float) -> dict[str, float]:
    """The rate of each arm with the best mean validation accuracy, by the one-standard-error rule.

    An arm leaves the common rate only for one that is better by more than the standard error of their paired
    difference (Breiman et al., Classification and Regression Trees, 1984, 3.4.3): of arms to which the rate is all one,
    most would leave it by chance otherwise, and each comparison of two of them would be one of two lots drawn.

    A run that diverged counts as 0. Of equals the lower rate is taken. With a single tuning seed there is no standard
    error, and the best is taken. An arm with a trial that is not there yet has none.

    Args:
        tried: of :func:`trials`.
    """
    done = tried.assign(score=tried["val_accuracy"].where(tried["status"] == "finished", 0.0))
    complete = tried["status"].isin(["finished", "diverged"]).groupby(tried["arm"], sort=False).all()
    return {arm: _own_rate(done[done["arm"] == arm], common) for arm in complete.index[complete]}


def _own_rate(done: pd.DataFrame, common: float) -> float:
    scores = done.pivot(index="seed", columns="rate", values="score")
    means = scores.mean()
    best = min(rate for rate in means.index if math.isclose(means[rate], means.max(), abs_tol=1e-9))
    if common not in scores:
        return best
    gain = scores[best] - scores[common]
    error = gain.sem() if len(gain) > 1 else 0.0
    return best if gain.mean() > error + 1e-9 else common


def at_own_rates(study: Study, rates: Mapping[str, float]) -> Study | None:
    """The tuned arms at their own rates under their old names, so that the contrasts over them stay what they are.

    An arm whose own rate is the common one has the runs that it has already. None where no arm has a rate.
    """
    arms = {arm: {**study.arms[arm], "train.lr": rate} for arm, rate in rates.items()}
    if not arms:
        return None
    contrasts = [contrast for contrast in study.contrasts if set(contrast.arms) <= arms.keys()]
    baseline = study.baseline if study.baseline in arms else next(iter(arms))
    return replace(
        study, name=f"{study.name}, own rates", arms=arms, factors={}, arm_seeds={}, baseline=baseline,
        contrasts=contrasts or (), tuning=None,
    )  # fmt: skip


@dataclass(frozen=True)
class Runs:
    """What a study's runs came to.

    Attributes:
        study, frame: at the common rate, that of the base.
        tried: the trials, with the columns ``arm`` and ``rate``; None where nothing is tuned.
        rates: tuned arm -> its own rate.
        own_study, own: the tuned arms at their own rates; None where there are none.
    """

    study: Study
    frame: pd.DataFrame
    tried: pd.DataFrame | None = None
    rates: Mapping[str, float] | None = None
    own_study: Study | None = None
    own: pd.DataFrame | None = None

    @property
    def run_ids(self) -> list[str]:
        """Every run behind it, each once."""
        return list(self.everything()["run_id"])

    def everything(self) -> pd.DataFrame:
        """All runs in one frame, each once: for counting those that diverged or failed."""
        frames = [frame for frame in (self.frame, self.tried, self.own) if frame is not None]
        return pd.concat(frames, ignore_index=True).drop_duplicates("run_id")


def run_at_rates(study: Study, store: RunStore, **options) -> Runs:
    """Train what the store lacks of a study: at the common rate, then the trials, then at each arm's own rate.

    Args:
        options: as of :func:`~dianet_lab.studies.execute.run_study`, which tells also what is raised.
    """
    return _at_rates(study, lambda part: run_study(part, store, **options))


def stored_runs(study: Study, store: RunStore) -> Runs:
    """The same from what is in the store, training nothing; what is not there has its state in the frames."""
    return _at_rates(study, lambda part: study_frame(part, store))


def _at_rates(study: Study, frame_of: Callable[[Study], pd.DataFrame]) -> Runs:
    """The parts of a study, one after the other, since the own rates follow from the trials."""
    frame, trying = frame_of(study), tuning_study(study)
    if trying is None:
        return Runs(study, frame)
    tried = trials(study, frame_of(trying))
    rates = own_rates(tried, study.base.train.lr)
    own = at_own_rates(study, rates)
    return Runs(study, frame, tried, rates, own, frame_of(own) if own else None)
