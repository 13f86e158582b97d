"""Captured gates in one file: written batch by batch, read as far as they are needed, and every byte checked.

It is a ZIP archive of ``.npy`` arrays, which numpy and any archiver can open, one for each batch, stage and variable:
``00003/stage1/gate.npy`` and ``00003/coords/label.npy``. ZIP's CRC-32 of each array is checked whenever it is read.
"""

import json
import os
import uuid
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import xarray as xr

from dianet_lab.analysis.capture import joined
from dianet_lab.errors import DataError
from dianet_lab.paths import TEMPORARY

ABOUT = "about.json"
FORMAT = 1


def save_recording(path: Path | str, batches: Iterable[list[xr.Dataset]]) -> Path:
    """Write what :func:`~dianet_lab.analysis.capture.capture_batches` yields, holding one batch in memory at a time.

    The file appears under its name only when it is whole.

    Args:
        batches: for each batch one data set a stage; a list of one batch for what is in memory already.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}{TEMPORARY}")
    about: dict = {"format": FORMAT, "batches": 0, "stages": []}
    try:
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
            for number, stages in enumerate(batches):
                about["batches"] = number + 1
                about["stages"] = [{"stage": s.attrs.get("stage", k), "dims": _dims(s)} for k, s in enumerate(stages)]
                about["coords"] = {name: list(coord.dims) for name, coord in stages[0].coords.items()}
                _write_batch(archive, number, stages)
            archive.writestr(ABOUT, json.dumps(about))
        with temporary.open("rb+") as stream:
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def load_recording(path: Path | str, quantities: Iterable[str] | None = None) -> list[xr.Dataset]:
    """The stages of a recording, with all variables or only those that are named.

    Raises:
        DataError: no such file, none of this lab or of a newer version, a damaged one; a variable that it lacks.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            about = json.loads(archive.read(ABOUT))
            if about["format"] != FORMAT:
                raise DataError(f"{path} has format {about['format']}, but this version of the lab reads {FORMAT}")
            wanted = None if quantities is None else set(quantities)
            return joined(_read_batch(archive, about, number, wanted, path) for number in range(about["batches"]))
    except FileNotFoundError:
        raise DataError(f"there is no recording {path}") from None
    except (zipfile.BadZipFile, zlib.error, EOFError, KeyError, ValueError, RuntimeError, OSError) as error:
        reason = error.args[0] if error.args else type(error).__name__
        raise DataError(f"{path} is no recording of this lab, or it is damaged ({reason}): capture it again") from None


def _dims(stage: xr.Dataset) -> dict[str, list[str]]:
    return {name: list(variable.dims) for name, variable in stage.data_vars.items()}


def _write_batch(archive: zipfile.ZipFile, number: int, stages: list[xr.Dataset]) -> None:
    for name, coord in stages[0].coords.items():
        if name != "block":
            _write(archive, f"{number:05}/coords/{name}.npy", coord.values)
    for index, stage in enumerate(stages):
        _write(archive, f"{number:05}/stage{index}/block.npy", stage["block"].values)
        for name, variable in stage.data_vars.items():
            _write(archive, f"{number:05}/stage{index}/{name}.npy", variable.values)


def _write(archive: zipfile.ZipFile, name: str, values: np.ndarray) -> None:
    with archive.open(name, "w", force_zip64=True) as stream:
        np.lib.format.write_array(stream, np.ascontiguousarray(values), allow_pickle=False)


def _read(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    with archive.open(name) as stream:
        values = np.lib.format.read_array(stream, allow_pickle=False)
        stream.read()  # to the end, or the CRC is not looked at
        return values


def _read_batch(
    archive: zipfile.ZipFile, about: dict, number: int, wanted: set[str] | None, path: Path | str
) -> list[xr.Dataset]:
    read = {name: _read(archive, f"{number:05}/coords/{name}.npy") for name in about["coords"] if name != "block"}
    coords = {name: (about["coords"][name], values) for name, values in read.items()}
    stages = []
    for index, entry in enumerate(about["stages"]):
        kept = entry["dims"] if wanted is None else {n: d for n, d in entry["dims"].items() if n in wanted}
        if wanted and (missing := wanted - kept.keys()):
            raise DataError(f"{path} has no {', '.join(sorted(missing))}: it has {', '.join(entry['dims'])}")
        at = f"{number:05}/stage{index}"
        number_of = {"stage": entry["stage"]}
        variables = {name: (dims, _read(archive, f"{at}/{name}.npy"), number_of) for name, dims in kept.items()}
        blocks = {"block": _read(archive, f"{at}/block.npy")}
        stages.append(xr.Dataset(variables, coords=coords | blocks, attrs=number_of))
    return stages
