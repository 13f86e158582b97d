"""The ledger of claims as a reader sees it: a row a claim, in words, with what was found in one column."""

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from dianet_lab.analysis.interval import points
from dianet_lab.analysis.ledger import STATUSES
from dianet_lab.analysis.phrases import listed, plural
from dianet_lab.analysis.verdict import EXPLORATORY


def told(row: Mapping[str, Any]) -> str:
    """The effect of a row of the ledger, or nothing.

    ``+0.5 [−0.3, +1.3], with new images [−0.6, +1.6], +0.1 at own rates, n = 24, undecided``: the 95 % interval for
    these test images, that for new ones too, and the estimate at each arm's own learning rate.
    """
    if not math.isfinite(row["estimate"]):
        return ""
    new = _interval(row, "crossed_low", "crossed_high")
    own = row.get("own_estimate", math.nan)
    parts = (
        f"{points(row['estimate'])} {_interval(row, 'low', 'high')}".rstrip(),
        f"with new images {new}" if new else "",
        f"{points(own)} at own rates" if math.isfinite(own) else "",
        f"n = {row['n']:g}",
        f"{row['lost']:g} lost" if row.get("lost") else "",
        row["verdict"],
    )
    return ", ".join(filter(None, parts))


def _interval(row: Mapping[str, Any], *ends: str) -> str:
    low, high = (row.get(end, math.nan) for end in ends)
    return f"[{points(low)}, {points(high)}]" if math.isfinite(low) and math.isfinite(high) else ""


def ledger_table(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of :func:`~dianet_lab.analysis.ledger.ledger`, grouped by status.

    Columns: ``status``, ``claim`` (with the published numbers that were seen or computed), ``source``, ``how sure``,
    ``tested by``, ``claimed`` (how the contrast comes out if it is true), ``found here`` (of :func:`told`), ``why``
    (with the note on how the contrast reads the claim), ``report``.
    """
    ordered = rows.assign(rank=rows["status"].map(list(STATUSES).index)).sort_values("rank", kind="stable")
    published = ordered["numbers"].where(ordered["numbers"] == "", " (" + ordered["numbers"] + ")")
    return pd.DataFrame(
        {
            "status": ordered["status"],
            "claim": ordered["claim"] + published,
            "source": ordered["source"],
            "how sure": ordered["grade"],
            "tested by": ordered["study"] + ": " + ordered["contrast"],
            "claimed": ordered["expects"],
            "found here": [told(row) for row in ordered.to_dict("records")],
            "why": [". ".join(filter(None, texts)) for texts in zip(ordered["why"], ordered["note"], strict=True)],
            "report": ordered["link"],
        }
    ).reset_index(drop=True)


def ledger_sentence(rows: pd.DataFrame) -> str:
    """How many claims have which status, and what that does not mean."""
    counts = rows["status"].value_counts()
    parts = [f"{counts[status]} {status}" for status in STATUSES if counts.get(status, 0)]
    by_design = int(rows["verdict"].eq(EXPLORATORY).sum())
    never = f" The contrasts of {by_design} are exploratory, which decides nothing at any scale." if by_design else ""
    return (
        f"Of {plural(len(rows), 'published claim')}: {listed(parts)}.{never} A status is about this lab's runs at the "
        "scale stated; none is a confirmation or a refutation of the paper at its own scale."
    )
