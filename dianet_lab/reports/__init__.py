"""Reports: a notebook that answers a question, its figures and tables, its HTML and the index of them all."""

from importlib import import_module
from typing import Any

_MODULES = {
    "Report": "recorder",
    "ReportOutcome": "batch",
    "export_html": "html",
    "run_reports": "batch",
    "write_index": "index",
}
__all__ = list(_MODULES)


def __getattr__(name: str) -> Any:
    """Import on use: a notebook needs only ``Report``, not papermill and nbconvert, which take seconds."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
