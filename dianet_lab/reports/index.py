"""The overview of a profile: ``index.html`` for a browser and ``README.md`` for a code host, which shows no HTML."""

from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from dianet_lab import paths
from dianet_lab.profiles import PROFILES
from dianet_lab.reports.html import key_figure, templates
from dianet_lab.reports.record import (
    Artifact,
    OutcomeRecord,
    ReportRecord,
    profile_folder,
    read_record,
    report_folder,
    report_folders,
)


@dataclass(frozen=True)
class _Card:
    """What the overview says of one notebook."""

    name: str
    record: ReportRecord | None
    outcome: OutcomeRecord | None
    link: str
    key_figure: Markup | None

    @property
    def failed(self) -> bool:
        return self.outcome is not None and self.outcome.status == "FAILED"

    @property
    def status(self) -> str:
        return "FAILED" if self.failed else "ok"

    @property
    def error(self) -> str:
        return self.outcome.error if self.outcome else ""

    @property
    def title(self) -> str:
        return self.record.title if self.record else self.outcome.title

    @property
    def duration(self) -> str:
        seconds = round(self.outcome.seconds if self.outcome else self.record.seconds)
        if seconds < 60:
            return f"{seconds} s"
        minutes = seconds // 60
        return f"{minutes} min {seconds % 60} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"

    @property
    def figures(self) -> list[Artifact]:
        """The key figure first."""
        return sorted(self.record.figures, key=lambda figure: figure.name != self.record.key_figure)


def write_index(profile: str) -> Path:
    """Write ``results/<profile>/index.html`` and ``README.md``, a card for each notebook.

    Returns:
        The path of ``index.html``.
    """
    folder = profile_folder(profile)
    scale = f"Scale {profile}: {PROFILES[profile].note}." if profile in PROFILES else ""
    cards = [card for path in report_folders(profile) if (card := _card(profile, path.name))]
    for template, name in (("index.html.j2", "index.html"), ("readme.md.j2", "README.md")):
        text = templates.get_template(template).render(profile=profile, scale=scale, cards=cards)
        paths.write_atomically(folder / name, text)
    return folder / "index.html"


def _card(profile: str, notebook: str) -> _Card | None:
    """The card of a notebook; None where nothing has ended there yet.

    A report with another token than the outcome's was written later, in JupyterLab or by plain papermill: the batch
    removes the old one before it starts. The batch's outcome and HTML then say nothing about it.
    """
    folder = report_folder(profile, notebook)
    record = read_record(folder / "report.json", ReportRecord)
    outcome = read_record(folder / "outcome.json", OutcomeRecord)
    if record and outcome and record.token != outcome.token:
        outcome = None
    if not record and not outcome:
        return None
    page = f"{notebook}.html"
    link = page if outcome and (folder.parent / page).is_file() else ""
    return _Card(notebook, record, outcome, link, key_figure(folder, record) if record else None)
