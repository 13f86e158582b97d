"""A folder of Parquet files in the image layout of Hugging Face: encoded images and labels, one row an image."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from PIL import Image, UnidentifiedImageError

from dianet_lab.data.fingerprint import folder_fingerprint, parquet_files
from dianet_lab.data.images import Source, SourcePart
from dianet_lab.errors import DataError

IMAGE_COLUMNS = ("img", "image")
LABEL_COLUMNS = ("label", "fine_label")
GREY_MODES = ("1", "L", "LA")
DEEP_MODES = ("I", "F")  # 16 or 32 bits a pixel; PIL would clip them to 8 without a word


class _Part(NamedTuple):
    """A decoded part: uint8 ``[N, H, W, 3]``, int64 ``[N]``, class names or (), and whether every image was grey,
    and any stored as JPEG."""

    images: np.ndarray
    labels: np.ndarray
    names: tuple[str, ...]
    grey: bool
    jpeg: bool


def read_parquet(folder: Path, fingerprint: str) -> Source:
    """The files ``train-*.parquet`` and ``test-*.parquet`` (else ``validation-*.parquet``), decoded.

    They lie in ``folder`` or in its ``data/``. Images that are all grey have one channel, others become RGB. Classes
    have the names of the Hugging Face metadata, else ``"0"``, ``"1"``, ... Images whose classes are numerals or single
    letters are taken for characters, which must not be mirrored; all others may be.

    Raises:
        DataError: a content that is not ``fingerprint``; a missing part or column; a file that is truncated, foreign or
            empty; an image that can't be decoded or has another size. The message names the file and what was expected.
    """
    files = parquet_files(folder)
    if (found := folder_fingerprint(folder)) != fingerprint:
        raise DataError(
            f"the content of {folder} is not the expected one: its fingerprint is {found}, but the configuration asks "
            f"for {fingerprint}; give the folder that the configuration was made with, or make one for this folder"
        )
    train = _read_part(folder, files, ("train",))
    test = _read_part(folder, files, ("test", "validation"))
    if train.images.shape[1:] != test.images.shape[1:]:
        sizes = " and of test ".join(_size(part.images.shape[2:0:-1]) for part in (train, test))
        raise DataError(f"{folder}: the images of train are {sizes}, expected one size")
    names = _class_names(folder, train, test)
    grey = train.grey and test.grey
    flip = not all(name.isdecimal() or (len(name) == 1 and name.isalpha()) for name in names)
    jpeg = train.jpeg or test.jpeg
    return Source(folder.name, _as_tensors(train, grey), _as_tensors(test, grey), names, flip, jpeg)


def _class_names(folder: Path, train: _Part, test: _Part) -> tuple[str, ...]:
    """The names that the files agree on, else numerals, and a check that every label has one."""
    if train.names and test.names and train.names != test.names:
        raise DataError(f"{folder}: the metadata of train names other classes than that of test, expected the same")
    highest = int(max(train.labels.max(), test.labels.max()))
    names = train.names or test.names or tuple(map(str, range(highest + 1)))
    lowest = int(min(train.labels.min(), test.labels.min()))
    if lowest < 0 or highest >= len(names):
        expected = f"0..{len(names) - 1} for {len(names)} classes"
        raise DataError(f"{folder}: the labels are {lowest}..{highest}, expected {expected}")
    return names


def _as_tensors(part: _Part, grey: bool) -> SourcePart:
    images = torch.from_numpy(part.images[..., :1] if grey else part.images).permute(0, 3, 1, 2).contiguous()
    return SourcePart(images, torch.from_numpy(part.labels), torch.arange(len(images)))


def _read_part(folder: Path, files: list[Path], names: tuple[str, ...]) -> _Part:
    """The rows of all files of the first of ``names`` that has any."""
    of_name = [[file for file in files if file.name.startswith(f"{name}-")] for name in names]
    chosen = next(filter(None, of_name), None)
    if chosen is None:
        patterns = " or ".join(f"{name}-*.parquet" for name in names)
        raise DataError(f"{folder}: no {patterns} among {', '.join(file.name for file in files)}")
    encoded, labels, class_names = [], [], ()
    for file in chosen:
        file_images, file_labels, file_names = _read_file(file)
        encoded += [(file, row, content) for row, content in enumerate(file_images)]
        labels.append(file_labels)
        class_names = class_names or file_names
    if not encoded:
        raise DataError(f"{chosen[0]} has no rows, expected one for each image")
    images, grey, jpeg = _decode(encoded)
    return _Part(images, np.concatenate(labels), class_names, grey, jpeg)


def _read_file(file: Path) -> tuple[list[bytes | None], np.ndarray, tuple[str, ...]]:
    """The encoded images, the labels int64 ``[N]`` and the class names (or none) of one file."""
    try:
        with pq.ParquetFile(file) as parquet:
            schema = parquet.schema_arrow
            image_column = _column(file, schema, IMAGE_COLUMNS, "a struct with bytes", _holds_bytes)
            label_column = _column(file, schema, LABEL_COLUMNS, "integers", pa.types.is_integer)
            table = parquet.read(columns=[f"{image_column}.bytes", label_column])
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{file} is no whole Parquet file, expected one with images and labels: {error}") from None
    labels = table.column(label_column)
    if labels.null_count:
        raise DataError(f"{file}: {labels.null_count} rows have no {label_column}, expected an integer in each")
    images = [image and image["bytes"] for image in table.column(image_column).to_pylist()]
    return images, labels.to_numpy().astype(np.int64), _names_in_metadata(schema, label_column)


def _holds_bytes(kind: pa.DataType) -> bool:
    is_binary = (pa.types.is_binary, pa.types.is_large_binary)
    return pa.types.is_struct(kind) and any(
        field.name == "bytes" and any(check(field.type) for check in is_binary) for field in kind
    )


def _column(file: Path, schema: pa.Schema, names: tuple[str, ...], what: str, fits: Callable) -> str:
    """The first of ``names`` that the file has, if its type ``fits``."""
    name = next((name for name in names if name in schema.names), None)
    if name is None:
        raise DataError(f"{file}: expected a column {' or '.join(names)}, found {', '.join(schema.names)}")
    if not fits(schema.field(name).type):
        raise DataError(f"{file}: column {name} is {schema.field(name).type}, expected {what}")
    return name


def _names_in_metadata(schema: pa.Schema, label_column: str) -> tuple[str, ...]:
    """The names of the ``ClassLabel`` feature that the label column is, or none where the metadata tell none."""
    try:
        features = json.loads(schema.metadata[b"huggingface"])["info"]["features"]
        return tuple(map(str, features[label_column]["names"]))
    except (KeyError, TypeError, ValueError):
        return ()


def _decode(encoded: list[tuple[Path, int, bytes | None]]) -> tuple[np.ndarray, bool, bool]:
    """Decode (file, row, bytes) into one uint8 array ``[N, H, W, 3]``; whether all images were grey, any a JPEG."""
    images, grey, jpeg = None, True, False
    for position, (file, row, content) in enumerate(encoded):
        try:
            image = Image.open(io.BytesIO(content))
            pixels = image.convert("RGB")
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            why = "unknown format" if isinstance(error, UnidentifiedImageError) else error
            raise DataError(f"{file}, row {row}: no whole image ({why}), expected the bytes of a PNG or JPEG") from None
        if image.mode.startswith(DEEP_MODES):
            raise DataError(f"{file}, row {row}: the image has mode {image.mode}, expected 8 bits a channel")
        if images is None:
            images = np.empty((len(encoded), pixels.height, pixels.width, 3), np.uint8)
        if images.shape[1:3] != (pixels.height, pixels.width):
            first = _size(images.shape[2:0:-1])
            raise DataError(f"{file}, row {row}: the image is {_size(pixels.size)}, expected {first} as those before")
        images[position] = pixels
        grey = grey and image.mode in GREY_MODES
        jpeg = jpeg or image.format == "JPEG"
    return images, grey, jpeg


def _size(width_height: tuple[int, ...]) -> str:
    return "x".join(map(str, width_height))
