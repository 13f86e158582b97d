"""A notebook's cells run in this process: what the kernel, papermill and the page add is tested elsewhere, once."""

from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import nbformat

from dianet_lab.reports.record import ReportRecord, read_record, report_folder

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"


def run_cells(number: str, **parameters: Any) -> ReportRecord:
    """Run the notebook of this number with these of its parameters, those that it lacks left out; its record."""
    (path,) = NOTEBOOKS.glob(f"{number}_*.ipynb")
    names: dict[str, Any] = {}
    with plt.rc_context():  # the look that a notebook sets is not that of the tests behind it
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type == "code":
                exec(compile(cell.source, cell.id, "exec"), names)
            if "parameters" in cell.metadata.get("tags", []):
                names.update({name: value for name, value in parameters.items() if name in names})
    return read_record(report_folder(names["profile"], path.stem) / "report.json", ReportRecord)
