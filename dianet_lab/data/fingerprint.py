"""What a data set on disk is, whatever its folder is called: a hash of its content."""

import hashlib
from pathlib import Path

from dianet_lab.errors import DataError


def parquet_files(folder: Path) -> list[Path]:
    """The Parquet files of a data set in the order of their names: those in ``folder``, else those in its ``data/``.

    Raises:
        DataError: no such folder, or no ``.parquet`` file in it.
    """
    files = sorted(folder.glob("*.parquet")) or sorted((folder / "data").glob("*.parquet"))
    if not files:
        what = "holds no .parquet file" if folder.is_dir() else "is no folder"
        layout = "a folder in the Hugging Face layout, such as train-00000-of-00001.parquet"
        raise DataError(f"{folder} {what}: expected {layout}")
    return files


def folder_fingerprint(folder: Path) -> str:
    """SHA-256, cut to 32 digits, over the names, sizes and bytes of a data set's Parquet files.

    The same files have the same fingerprint wherever they lie, directly in the folder or in its ``data/``.

    Raises:
        DataError: no such folder, no ``.parquet`` file in it, or one that can't be read.
    """
    digest = hashlib.sha256()
    for file in parquet_files(folder):
        try:
            with file.open("rb") as stream:
                content = hashlib.file_digest(stream, "sha256").digest()
        except OSError as error:
            raise DataError(f"{file} can't be read: {error.strerror or error}") from None
        digest.update(f"{file.name}\0{file.stat().st_size}\0".encode())
        digest.update(content)
    return digest.hexdigest()[:32]
