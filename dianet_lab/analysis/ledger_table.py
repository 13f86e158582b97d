"""The ledger of claims as a reader sees it: a row a claim, in words, with what was found in one column."""

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from dianet_lab.analysis.interval import points
from dianet_lab.analysis.ledger import STATUSES
from dianet_lab.analysis.phrases import listed, plural


def told(row: Mapping[str, Any]) -> str:
    """The effect of a row of the ledger: ``+0.5 [−0.3, +1.3], +0.1 at own rates, n = 24, undecided``, or nothing."""
    if not math.isfinite(row["estimate"]):
        return ""
    known = math.isfinite(row["low"]) and math.isfinite(row["high"])
    interval = f" [{points(row['low'])}, {points(row['high'])}]" if known else ""
    own = row.get("own_estimate", math.nan)
    own = f"{points(own)} at own rates" if math.isfinite(own) else ""
    lost = f"{row['lost']:g} lost" if row.get("lost") else ""
    parts = (f"{points(row['estimate'])}{interval}", own, f"n = {row['n']:g}", lost, row["verdict"])
    return ", ".join(filter(None, parts))


def ledger_table(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of :func:`~dianet_lab.analysis.ledger.ledger`, grouped by status.

    Columns: ``status``, ``claim`` (with the published numbers that were seen or computed), ``source``, ``how sure``,
    ``tested by``, ``found here`` (points, 95 % interval), ``why``, ``report``.
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
            "found here": [told(row) for row in ordered.to_dict("records")],
            "why": ordered["why"],
            "report": ordered["link"],
        }
    ).reset_index(drop=True)


def ledger_sentence(rows: pd.DataFrame) -> str:
    """How many claims have which status, and what that does not mean."""
    counts = rows["status"].value_counts()
    parts = [f"{counts[status]} {status}" for status in STATUSES if counts.get(status, 0)]
    return (
        f"Of {plural(len(rows), 'published claim')}: {listed(parts)}. A status is about this lab's runs at the scale "
        "stated; none is a confirmation or a refutation of the paper at its own scale."
    )
