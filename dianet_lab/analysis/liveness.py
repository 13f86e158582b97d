"""Whether gates answer to the image at all: what has to hold before anything is said about memory or constancy."""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from dianet_lab.analysis.capture import capture_images
from dianet_lab.analysis.gates import image_spread
from dianet_lab.analysis.interval import t_interval, written
from dianet_lab.analysis.subject import Subject

CLEARLY = 2.0
"""How many times the untrained gates' deviation the trained ones' must have, at least."""

FORMATS = {"accuracy (%)": "{:.1f}", "sd": "{:.4f}", "sd untrained": "{:.4f}", "ratio": "{:.1f}"}


@dataclass(frozen=True)
class Liveness:
    """How much the gates of each arm vary over images, trained and untrained.

    ``table`` has a row an arm: ``networks``, ``accuracy (%)``, ``sd`` and ``sd untrained`` (of a gate over images, mean
    over channels, blocks, stages and seeds), their ``ratio`` with its interval over seeds, and ``answers``.
    """

    table: pd.DataFrame
    arm: str

    def answers(self, arm: str | None = None) -> bool:
        """Whether the gates of an arm (the subject's own if none is named) clearly answer to the image."""
        rows = self.table.set_index("arm")["answers"]
        return bool(rows.get(arm or self.arm, False))

    def sentence(self) -> str:
        """Accuracy and deviations of the subject's own arm, and whether a verdict may rest on them."""
        row = self.table.set_index("arm").loc[self.arm]
        said = (
            f"{self.arm} gets {row['accuracy (%)']:.1f} % of the test images right; over images its gates vary by "
            f"{row['sd']:.4f} (standard deviation), untrained by {row['sd untrained']:.4f}"
        )
        if self.answers():
            return f"{said}, {row['ratio']:.0f} times as much."
        return f"{said}: not clearly more, so nothing is concluded about memory or constancy."

    def refusal(self, what: str) -> str:
        """Said in place of a conclusion about ``what`` where the gates do not answer; empty where they do."""
        if self.answers():
            return ""
        return (
            f"No verdict on {what}: over images these gates vary not clearly more than those of an untrained network."
        )

    def unless_refused(self, what: str, *sentences: str) -> list[str]:
        """``sentences`` about ``what`` where the gates answer to the image, else the refusal alone."""
        return list(sentences) if self.answers() else [self.refusal(what)]


def liveness(seen: Subject) -> Liveness:
    """Look at all networks of a subject.

    Gates *clearly* answer where the deviation over images is at least :data:`CLEARLY` times the untrained network's, on
    average over seeds, and the 95 % t interval of the (logarithm of the) ratio, paired by seed, lies above 1. Of one
    network alone there is no interval, and the ratio decides.
    """
    spreads = pd.DataFrame(
        [
            network.which | {"sd": image_spread(capture_images(network.model, network.images))["spread"].mean()}
            for network in seen.networks()
        ]
    ).pivot(index=["arm", "seed"], columns="when", values="sd")
    accuracies = seen.runs.groupby("arm")["test_accuracy"].mean()
    rows = [_row(arm, pairs, accuracies[arm]) for arm, pairs in spreads.groupby("arm", sort=False)]
    return Liveness(pd.DataFrame(rows), seen.arm)


def _row(arm: str, pairs: pd.DataFrame, accuracy: float) -> dict[str, str | int | float | bool]:
    start, end = pairs["start"], pairs["end"]
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(end / start)
    mean, low, high = t_interval(logs.where(np.isfinite(logs)))
    sure = low > 0 if len(pairs) > 1 else True
    answers = bool(math.isfinite(mean) and math.exp(mean) >= CLEARLY and sure)
    interval = f"{written(math.exp(low), 1)} to {written(math.exp(high), 1)}" if math.isfinite(low) else "–"
    return {
        "arm": arm,
        "networks": len(pairs),
        "accuracy (%)": 100 * accuracy,
        "sd": end.mean(),
        "sd untrained": start.mean(),
        "ratio": math.exp(mean) if math.isfinite(mean) else math.nan,
        "95 % interval": interval,
        "answers": answers,
    }
