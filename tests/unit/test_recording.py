"""A recording: one file, batch by batch, and no byte of its arrays can change unseen."""

import zipfile

import numpy as np
import pytest
import torch
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dianet_lab import AttentionConfig, ModelConfig, build_model
from dianet_lab.analysis import capture as capturing
from dianet_lab.analysis.capture import ALL, capture_batches, capture_data
from dianet_lab.analysis.recording import load_recording, save_recording
from dianet_lab.config import DataConfig
from dianet_lab.data.sources import load_data
from dianet_lab.errors import DataError


@pytest.fixture(scope="module")
def test_images():
    return load_data(DataConfig(train_size=40, test_limit=30), 0).test


def network(**options):
    return build_model(ModelConfig(depth=14, width=4, attention=AttentionConfig(**options)), 1, 10).eval()


@pytest.mark.parametrize("options", [{}, {"cells": 2}, {"unit": "se"}, {"unit": "gru"}, {"share_from": 1}], ids=str)
def test_what_is_saved_comes_back(options, test_images, tmp_path):
    model = network(**options)
    file = save_recording(tmp_path / "gates.zip", capture_batches(model, test_images, ALL, batch_size=11))
    for there, back in zip(capture_data(model, test_images, ALL, batch_size=11), load_recording(file), strict=True):
        xr.testing.assert_identical(there, back)
        assert back.attrs["stage"] == there.attrs["stage"]


def test_one_quantity_is_read_alone(test_images, tmp_path):
    file = save_recording(tmp_path / "gates.zip", [capture_data(network(), test_images)])
    assert list(load_recording(file, ["c"])[0].data_vars) == ["c"]
    with pytest.raises(DataError, match="has no f: it has squeeze, gate, h, c"):
        load_recording(file, ["f"])


def test_batches_are_made_one_at_a_time(test_images, tmp_path, monkeypatch):
    """Bounded memory: a batch is written before the next is computed, and none is kept."""
    order = []
    real = capturing.capture

    def counted(*words):
        order.append("captured")
        return real(*words)

    monkeypatch.setattr(capturing, "capture", counted)
    write = zipfile.ZipFile.open

    def watched(self, name, mode="r", **options):
        if mode == "w" and order[-1] != "written":
            order.append("written")
        return write(self, name, mode, **options)

    monkeypatch.setattr(zipfile.ZipFile, "open", watched)
    save_recording(tmp_path / "gates.zip", capture_batches(network(), test_images, batch_size=10))
    assert order == ["captured", "written"] * 3


def test_a_recording_that_breaks_off_leaves_the_old_file_and_no_other(test_images, tmp_path):
    file = save_recording(tmp_path / "gates.zip", capture_batches(network(), test_images))
    before = file.read_bytes()

    def broken():
        yield capture_data(network(), test_images)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        save_recording(file, broken())
    assert file.read_bytes() == before and list(tmp_path.iterdir()) == [file]


@pytest.fixture(scope="module")
def whole(test_images, tmp_path_factory):
    file = save_recording(tmp_path_factory.mktemp("r") / "gates.zip", capture_batches(network(), test_images))
    return file.read_bytes(), load_recording(file)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_flipped_bit_is_seen_or_harms_nothing(place, bit, whole, tmp_path):
    """Either the file is refused, or (as in a time stamp of the archive) every array is what it was."""
    content, expected = bytearray(whole[0]), whole[1]
    content[int(place * len(content))] ^= 1 << bit
    file = tmp_path / "flipped.zip"
    file.write_bytes(content)
    try:
        found = load_recording(file)
    except DataError:
        return
    for there, back in zip(expected, found, strict=True):
        xr.testing.assert_identical(there, back)


def test_a_flipped_bit_in_an_array_is_always_seen(whole, tmp_path):
    content = bytearray(whole[0])
    with zipfile.ZipFile(__import__("io").BytesIO(whole[0])) as archive:
        entry = archive.getinfo("00000/stage1/gate.npy")
    content[entry.header_offset + 200 + entry.file_size // 2] ^= 1
    file = tmp_path / "flipped.zip"
    file.write_bytes(content)
    with pytest.raises(DataError, match="damaged.*CRC"):
        load_recording(file)


def test_an_entry_that_a_flipped_bit_calls_encrypted_is_refused(whole, tmp_path):
    content = bytearray(whole[0])
    content[content.rindex(b"PK\x01\x02") + 8] ^= 1
    file = tmp_path / "flipped.zip"
    file.write_bytes(content)
    with pytest.raises(DataError, match="damaged.*encrypted"):
        load_recording(file)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
def test_a_cut_file_is_refused(share, whole, tmp_path):
    file = tmp_path / "cut.zip"
    file.write_bytes(whole[0][: int(share * len(whole[0]))])
    with pytest.raises(DataError, match="no recording of this lab, or it is damaged"):
        load_recording(file)


def test_what_is_not_there_is_said(tmp_path):
    with pytest.raises(DataError, match="there is no recording"):
        load_recording(tmp_path / "none.zip")


def test_cell_gates_make_the_state_that_was_captured(test_images):
    """c' = f c + i g and h' = o sigmoid(c'), block after block, with c = 0 before the first."""
    for stage in capture_data(network(), test_images, ALL):
        before = np.zeros_like(stage["c"][:, 0])
        for block in stage.block.values:
            at = stage.sel(block=block)
            np.testing.assert_allclose(at["c"], at["f"] * before + at["i"] * at["g"], atol=1e-6)
            np.testing.assert_allclose(at["h"], at["o"] / (1 + np.exp(-at["c"])), atol=1e-6)
            np.testing.assert_array_equal(at["gate"], at["h"])
            before = at["c"]


def test_every_cell_of_a_stack_is_told(test_images):
    stage = capture_data(network(cells=2), test_images, ALL)[0]
    assert {"h", "h.0", "c", "c.0", "i", "i.0", "f.0", "g.0", "o.0"} <= set(stage.data_vars)
    np.testing.assert_allclose(stage["h.0"], stage["o.0"] / (1 + np.exp(-stage["c.0"])), atol=1e-6)


def test_a_parallel_stack_in_training_is_refused():
    from dianet_lab.errors import LabError

    model = network(cells=2).train()
    with pytest.raises(LabError, match="model.eval"), capturing.capture(model, ["i"]):
        model(torch.randn(4, 1, 8, 8))
