"""``dianet-lab claims``: what the lab's runs say to the published claims."""

from typing import Any

from dianet_lab.cli.words import Data, Profile, absolute, table

WIDTH = 150  # sentences stand beside numbers
TOLD_ONLY = "told only: exploratory"
HOW_TO_READ = (
    '"supported" means: by this lab\'s runs, at the scale stated; it is no confirmation of the paper. Effects are in '
    "percentage points\nwith a 95 % interval; + and − without a verdict are illustrations."
)


def claims(
    profile: Profile = "digits",
    data: Data = None,
) -> None:
    """Show the published claims and what became of each: supported, contradicted, undecided, or not testable here."""
    from rich.console import Console

    from dianet_lab.analysis.claim_file import read_claims
    from dianet_lab.analysis.lab_results import lab_results
    from dianet_lab.analysis.ledger import STATUSES, Setting, ledger
    from dianet_lab.studies.catalog import STUDIES, get_study
    from dianet_lab.studies.store import RunStore

    data = absolute(data)
    setting = Setting.of(get_study("sharing", profile, data=data).base, profile)
    results = lab_results(profile, RunStore(), data=data)
    if not results:
        print(f"This store has no run of profile {profile}; what was committed stands in results/{profile}/README.md.")
    rows = ledger(read_claims(), results, setting)
    contrasts = [(name, contrast) for name in STUDIES for contrast in get_study(name, profile).contrasts]
    primary = {(name, contrast.name) for name, contrast in contrasts if contrast.primary}
    console = Console(width=max(Console().width, WIDTH))
    for status in STATUSES:
        group = rows[rows["status"] == status]
        if len(group):
            console.print(_drawn(group, f"{status}: {len(group)} of {len(rows)}", primary))
    print(f"Studies: {setting.scale}, profile {profile}.\n{HOW_TO_READ}")


def _drawn(group: Any, title: str, primary: set[tuple[str, str]]) -> Any:
    """The rows of one status, with what was found told in one column; words are folded, never cut off.

    ``primary`` are the studies and contrasts that may get a verdict.
    """
    import pandas as pd
    from rich.markup import escape

    from dianet_lab.analysis.ledger import NOT_RUN
    from dianet_lab.analysis.ledger_table import told

    group = group.map(lambda value: escape(value) if isinstance(value, str) else value)
    said = (group["grade"] == "computed").map({True: "computed: ", False: "published: "}) + group["numbers"]
    numbers = said.where(group["numbers"] != "", "")
    shown = pd.DataFrame(
        {
            "claim": _lines(group["claim"], numbers),
            "source": group["source"] + "; " + group["grade"],
            "tested by": _lines(group["study"] + ": " + group["contrast"], group["note"]),
            "found": [escape(told(row)) for row in group.to_dict("records")],
            "why": group["why"],
            "link": group["link"],
        }
    )
    if (group["status"] == NOT_RUN).all():
        asked = zip(group["study"], group["contrast"], group["why"], strict=True)
        shown["why"] = [
            TOLD_ONLY if (study, contrast) not in primary else "no: another scale" if why else "yes"
            for study, contrast, why in asked
        ]
        shown = shown.rename(columns={"why": "testable here"})
    if not shown["found"].any():
        shown = shown.drop(columns="found")
    drawn = table(shown, {}, title)
    drawn.show_lines = True
    for column in drawn.columns:
        column.overflow = "fold"
    return drawn


def _lines(upper: Any, lower: Any) -> Any:
    """Two columns of text in one, below each other; no empty line."""
    return (upper + "\n" + lower).str.rstrip()
