"""Folders in the Parquet layout of Hugging Face: what is read, and what is refused with the file's name."""

import io
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from dianet_lab.config import DataConfig
from dianet_lab.data.fingerprint import folder_fingerprint
from dianet_lab.data.images import Splits
from dianet_lab.data.sources import load_data
from dianet_lab.errors import DataError

ANIMALS = ("cat", "dog", "eel")


def encoded(pixels: np.ndarray, format: str = "PNG") -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format)
    return stream.getvalue()


def pictures(count: int, shape: tuple[int, ...] = (8, 8, 3)) -> list[np.ndarray]:
    return list(np.random.RandomState(count).randint(0, 256, (count, *shape)).astype(np.uint8))


def write(file: Path, images: list, names=ANIMALS, image="img", label="label", labels=None) -> Path:
    """A Parquet file of arrays (stored as PNG) or bytes, with labels 0, 1, 2, 0, ... and, given names, the metadata."""
    contents = [encoded(x) if isinstance(x, np.ndarray) else x for x in images]
    rows = [{"bytes": content, "path": f"{row}.png"} for row, content in enumerate(contents)]
    columns = {
        image: pa.array(rows, pa.struct({"bytes": pa.binary(), "path": pa.string()})),
        label: pa.array([row % 3 for row in range(len(rows))] if labels is None else labels),
    }
    table = pa.table(columns)
    if names:
        features = {image: {"_type": "Image"}, label: {"names": list(names), "_type": "ClassLabel"}}
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, file)
    return file


def folder_of(tmp_path: Path, train=None, test=None, **options) -> Path:
    write(tmp_path / "train-00000-of-00001.parquet", pictures(12) if train is None else train, **options)
    write(tmp_path / "test-00000-of-00001.parquet", pictures(6) if test is None else test, **options)
    return tmp_path


def load(folder: Path, **options) -> Splits:
    return load_data(DataConfig(source="parquet", path=str(folder), val_size=3, **options), 0)


def test_colour_images_their_labels_and_the_names_of_their_classes(tmp_path):
    train, val, test = load(folder_of(tmp_path))
    assert (len(train), len(val), len(test)) == (9, 3, 6)
    assert test.images.shape == (6, 3, 8, 8) and test.images.dtype == torch.uint8
    assert test.class_names == ANIMALS and test.labels.tolist() == [0, 1, 2, 0, 1, 2]
    assert test.index.tolist() == list(range(6))
    assert torch.equal(test.images, torch.from_numpy(np.stack(pictures(6))).permute(0, 3, 1, 2))
    assert torch.equal(train.images, torch.from_numpy(np.stack(pictures(12))).permute(0, 3, 1, 2)[train.index])


def test_grey_images_keep_one_channel(tmp_path):
    test = load(folder_of(tmp_path, pictures(12, (8, 8)), pictures(6, (8, 8)))).test
    assert test.images.shape == (6, 1, 8, 8)
    assert torch.equal(test.images[:, 0], torch.from_numpy(np.stack(pictures(6, (8, 8)))))


def test_grey_images_among_colour_ones_become_colour(tmp_path):
    mixed = [*pictures(6, (8, 8)), *pictures(6)]
    splits = load(folder_of(tmp_path, mixed, pictures(6, (8, 8))))
    assert splits.train.in_channels == splits.test.in_channels == 3


def test_an_alpha_channel_and_a_palette_are_resolved(tmp_path):
    palette = io.BytesIO()
    Image.fromarray(pictures(1)[0]).quantize(8).save(palette, "PNG")
    images = [*pictures(5, (8, 8, 4)), palette.getvalue()]
    assert load(folder_of(tmp_path, test=images)).test.images.shape == (6, 3, 8, 8)


def test_jpeg_images_are_decoded(tmp_path):
    flat = [encoded(np.full((8, 8, 3), level, np.uint8), "JPEG") for level in (0, 100, 200)]
    splits = load(folder_of(tmp_path, test=flat))
    assert splits.test.images[:, 0, 0, 0].tolist() == [0, 100, 200]
    assert splits.train.jpeg and splits.test.jpeg  # so that a report can say that they were compressed


def test_png_images_lost_nothing(tmp_path):
    assert not load(folder_of(tmp_path)).test.jpeg


def test_the_other_usual_column_names(tmp_path):
    assert load(folder_of(tmp_path, image="image", label="fine_label")).test.class_names == ANIMALS


def test_without_metadata_classes_are_numbered(tmp_path):
    assert load(folder_of(tmp_path, names=None)).test.class_names == ("0", "1", "2")


def test_several_files_are_one_part_in_the_order_of_their_names(tmp_path):
    folder_of(tmp_path)
    write(tmp_path / "test-00001-of-00002.parquet", pictures(4), labels=[2, 2, 2, 2])
    assert load(tmp_path).test.labels.tolist() == [0, 1, 2, 0, 1, 2, 2, 2, 2, 2]


def test_files_may_lie_in_a_data_folder_and_have_the_same_fingerprint_there(tmp_path):
    flat, nested = folder_of(tmp_path / "flat"), folder_of(tmp_path / "nested" / "data").parent
    assert folder_fingerprint(flat) == folder_fingerprint(nested)
    assert torch.equal(load(flat).train.images, load(nested).train.images)


def test_validation_files_are_the_test_part_where_there_is_no_other(tmp_path):
    folder_of(tmp_path)
    write(tmp_path / "validation-00000-of-00001.parquet", pictures(5))
    assert len(load(tmp_path).test) == 6
    (tmp_path / "test-00000-of-00001.parquet").unlink()
    assert len(load(tmp_path).test) == 5


@pytest.mark.parametrize(
    ("names", "flip"),
    [(ANIMALS, True), (("0", "1", "2"), False), (("a", "b", "c"), False), (("7", "B", "c"), False), (None, False)],
)
def test_characters_are_not_mirrored_unless_the_configuration_says_so(tmp_path, names, flip):
    folder = folder_of(tmp_path, names=names)
    assert load(folder).train.flip is flip
    assert load(folder, flip=not flip).train.flip is not flip


def test_a_path_is_relative_to_the_labs_folder(tmp_path, monkeypatch):
    folder_of(tmp_path / "pets")
    monkeypatch.setenv("DIANET_LAB_HOME", str(tmp_path))
    assert len(load(Path("pets")).test) == 6


def test_the_content_must_be_that_of_the_configuration(tmp_path):
    config = DataConfig(source="parquet", path=str(folder_of(tmp_path / "pets")), val_size=3)
    copy = shutil.copytree(tmp_path / "pets", tmp_path / "copy")
    assert len(load_data(config.model_copy(update={"path": str(copy)}), 0).test) == 6
    other = folder_of(tmp_path / "other", test=pictures(7))
    with pytest.raises(DataError, match=rf"other is not the expected one: .* asks for {config.fingerprint}"):
        load_data(config.model_copy(update={"path": str(other)}), 0)
    with pytest.raises(DataError, match="path is empty"):
        load_data(config.model_copy(update={"path": None}), 0)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda file: file.write_bytes(file.read_bytes()[:-200]), "is no whole Parquet file"),
        (lambda file: file.write_bytes(file.read_bytes()[:40]), "is no whole Parquet file"),
        (lambda file: file.write_bytes(b"name,label\ncat,0\n"), "is no whole Parquet file"),
        (lambda file: file.write_bytes(b""), "is no whole Parquet file"),
        (lambda file: write(file, [], labels=pa.array([], pa.int64())), "has no rows"),
        (lambda file: write(file, pictures(3), image="photo"), "expected a column img or image, found photo, label"),
        (lambda file: write(file, pictures(3), label="kind"), "expected a column label or fine_label, found img, kind"),
        (lambda file: write(file, pictures(3), labels=["a", "b", "c"]), "label is string, expected integers"),
        (lambda file: write(file, pictures(3), labels=[0, None, 1]), "1 rows have no label"),
        (lambda file: pq.write_table(pa.table({"img": [1], "label": [0]}), file), "img is int64, expected a struct"),
        (lambda file: write(file, [*pictures(2), b"no image"]), "row 2: no whole image"),
        (lambda file: write(file, [*pictures(2), encoded(pictures(1)[0])[:-30]]), "row 2: no whole image"),
        (lambda file: write(file, [*pictures(1), None]), "row 1: no whole image"),
        (lambda file: write(file, [*pictures(2), *pictures(2, (6, 9, 3))]), "row 2: the image is 9x6, expected 8x8"),
        (lambda file: write(file, [np.zeros((8, 8), np.uint16)]), "row 0: the image has mode I;16, expected 8 bits"),
    ],
)
def test_a_broken_file_is_refused_by_name(tmp_path, damage, message):
    damage(folder_of(tmp_path) / "test-00000-of-00001.parquet")
    with pytest.raises(DataError, match=message) as refusal:
        load(tmp_path)
    assert "test-00000-of-00001.parquet" in str(refusal.value) and "expected" in str(refusal.value)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda file: file.unlink(), "no test-.*parquet or validation-.*parquet among train-00000"),
        (lambda file: write(file, pictures(3, (4, 8, 3))), "train are 8x8 and of test 8x4, expected one size"),
        (lambda file: write(file, pictures(3), names=("cow", "owl", "yak")), "metadata of train names other classes"),
        (lambda file: write(file, pictures(3), labels=[0, 1, 3]), r"labels are 0\.\.3, expected 0\.\.2 for 3 classes"),
        (lambda file: write(file, pictures(3), labels=[-1, 1, 2]), r"labels are -1\.\.2, expected"),
    ],
)
def test_parts_that_do_not_fit_together_are_refused(tmp_path, damage, message):
    damage(folder_of(tmp_path) / "test-00000-of-00001.parquet")
    with pytest.raises(DataError, match=message) as refusal:
        load(tmp_path)
    assert str(tmp_path) in str(refusal.value)


def test_a_folder_without_parquet_files_is_refused(tmp_path):
    with pytest.raises(DataError, match="holds no .parquet file: expected a folder in the Hugging Face layout"):
        load(tmp_path)
    with pytest.raises(DataError, match="is no folder"):
        load(tmp_path / "absent")


def real_cifar10() -> Path:
    beside = Path(__file__).resolve().parents[3] / "shared" / "data" / "cifar10"
    return Path(os.environ.get("DIANET_LAB_CIFAR10_PARQUET", beside))


@pytest.mark.heavy
@pytest.mark.skipif(not real_cifar10().is_dir(), reason="no CIFAR-10 in Parquet files (DIANET_LAB_CIFAR10_PARQUET)")
def test_the_real_cifar10():
    train, val, test = load_data(DataConfig(source="parquet", path=str(real_cifar10()), val_size=5000), 0)
    assert train.images.shape == (45_000, 3, 32, 32) and test.images.shape == (10_000, 3, 32, 32)
    for part, count in ((train, 4500), (val, 500), (test, 1000)):
        assert torch.bincount(part.labels).tolist() == [count] * 10
    assert train.class_names[:3] == ("airplane", "automobile", "bird") and train.class_names[-1] == "truck"
    assert train.flip
    torch.testing.assert_close(train.mean, torch.tensor([0.4914, 0.4822, 0.4465]), atol=2e-3, rtol=0)
    torch.testing.assert_close(train.std, torch.tensor([0.2470, 0.2435, 0.2616]), atol=4e-3, rtol=0)
