"""The same intervention for all test images and all seeds: what one image in one network may not be taken for."""

from collections.abc import Iterable, Iterator

import numpy as np
import pandas as pd
import torch

from dianet_lab.analysis.gates import Network
from dianet_lab.analysis.interval import t_interval, written
from dianet_lab.analysis.phrases import plural, span
from dianet_lab.analysis.subject import DRAWN, Subject
from dianet_lab.explore.inside import BATCH, SPATIAL_BATCH, Inside, log_odds
from dianet_lab.explore.seen import complete, of_another_class
from dianet_lab.explore.state import ANOTHER, KINDS, RESET, State

FORMATS = {"log-odds (nats)": "{:+z.3f}", "predictions changed (%)": "{:.1f}"}


def everywhere(networks: Iterable[Network], state: State) -> pd.DataFrame:
    """One row a network: ``arm, seed, status``, and of the intervention of ``state`` at its stage and block

    ``change`` of the true class's log-odds (nats, mean over the test images), ``image``, that of the state's own image,
    and ``flipped``, the share of images (0 to 1) whose prediction it changes. The arm of an untrained network ends in
    ``, untrained``. Another image's gate is that of the first image of another class.

    NaN where a state is to be reset and there is no memory.
    """
    rows = []
    for which, model, images, train in networks:
        inside = Inside(model, images, train)
        arm = which["arm"] if which["when"] == "end" else f"{which['arm']}, untrained"
        rows.append({"arm": arm, "seed": which["seed"], "status": "finished"} | _measured(inside, state))
    return pd.DataFrame(rows)


def _measured(inside: Inside, state: State) -> dict[str, float]:
    if state.kind == RESET and not inside.remembers:
        return dict.fromkeys(("change", "image", "flipped"), np.nan)
    state = complete(inside, state)
    labels = inside.images.labels
    others = of_another_class(labels)
    others[state.image] = state.other
    before, after = [], []
    for part in torch.arange(len(labels)).split(SPATIAL_BATCH if inside.spatial else BATCH):
        lenders = others[part] if state.kind == ANOTHER else ()
        change = inside.intervention(state.kind, (state.stage, state.block), state.amount, lenders)
        before.append(inside.run(part)[0])
        after.append(inside.run(part, change)[0])
    one, two = torch.cat(before), torch.cat(after)
    changes = log_odds(two, labels) - log_odds(one, labels)
    flipped = (one.argmax(1) != two.argmax(1)).double().mean()
    return {"change": float(changes.mean()), "image": float(changes[state.image]), "flipped": float(flipped)}


def compared(seen: Subject) -> Iterator[Network]:
    """The networks of a subject's own arm, trained and untrained, and the trained ones of its drawn rivals."""
    yield from seen.networks([seen.arm])
    yield from seen.networks([arm for arm in DRAWN if arm in seen.arms and arm != seen.arm], ["end"])


def by_arm(frame: pd.DataFrame) -> pd.DataFrame:
    """Of :func:`everywhere` a row an arm: mean over seeds with its 95 % t interval, and the one image's range."""
    rows = []
    for arm, part in frame.groupby("arm", sort=False):
        mean, low, high = t_interval(part["change"])
        rows.append(
            {
                "arm": arm,
                "networks": len(part),
                "log-odds (nats)": mean,
                "95 % interval": f"{_nats(low)} to {_nats(high)}" if np.isfinite(low) else "–",
                "this image (nats)": span(part["image"], 3),
                "predictions changed (%)": 100 * part["flipped"].mean(),
            }
        )
    return pd.DataFrame(rows)


def over_images(frame: pd.DataFrame, state: State, arm: str) -> str:
    """What the intervention does on average over the test images and seeds of an arm, in a sentence.

    Args:
        frame: of :func:`everywhere`.
        state: a complete one.
    """
    part = frame[frame["arm"] == arm]
    if part["change"].isna().all():
        return f"{arm} has no memory, so there is no state to reset."
    change, interval = _with_interval(part["change"])
    way = "" if state.amount == 1 else f", {100 * state.amount:.0f} % of the way"
    over = f"{interval} over {plural(len(part), 'seed')}" if interval else "one network, so no interval"
    place = f"{arm}, stage {state.stage}, block {state.block}"
    return (
        f"If {KINDS[state.kind]}{way} ({place}), the log-odds of the true class change by {change} nats, mean over all "
        f"test images ({over}), and {written(100 * part['flipped'].mean(), 1)} % of the predictions change."
    )


def of_one_image(frame: pd.DataFrame, state: State, arm: str) -> str:
    """How far the state's own image tells something else from seed to seed, in a sentence."""
    part = frame[(frame["arm"] == arm) & frame["image"].notna()]
    if part.empty:
        return f"Image {state.image} tells nothing about a reset, as nothing is remembered."
    change, interval = _with_interval(part["image"])
    said = f"For image {state.image} alone the log-odds change by"
    if not interval:
        return f"{said} {change} nats: one image, one network."
    ends = " to ".join(_nats(value) for value in (part["image"].min(), part["image"].max()))
    return f"{said} {ends} nats from seed to seed (mean {change}, {interval}): one picture is an example, not a result."


def _with_interval(values: pd.Series) -> tuple[str, str]:
    """Mean and 95 % t interval in words; no interval of one value."""
    mean, low, high = t_interval(values)
    return _nats(mean), f"95 % t interval {_nats(low)} to {_nats(high)}" if np.isfinite(low) else ""


def _nats(value: float) -> str:
    return written(value, 3, "+")
