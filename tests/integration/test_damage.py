"""Damage: whatever is cut, flipped, emptied, replaced or missing is seen, named, kept aside and trained again."""

import pytest

from dianet_lab.studies.manifest import FORMAT, MANIFEST
from dianet_lab.studies.state import CHECKPOINT
from dianet_lab.studies.verify import verify_run
from dianet_lab.studies.work import carry_out
from tests.reliability import damage
from tests.reliability.tiny import bits, unbroken


@pytest.mark.heavy
def test_what_is_injected_is_detected(tmp_path):
    counts = damage.inject(tmp_path, flips=8)
    assert counts.keys() == {*damage.FINISHED, *damage.UNFINISHED}
    assert all(found == injected > 12 for found, injected, _ in counts.values()), counts


@pytest.mark.parametrize("name", damage.FINISHED)
def test_a_study_trains_a_damaged_run_again_and_keeps_the_old_one_aside(tmp_path, name):
    assert damage.trained_again(tmp_path / "runs", name)


def test_a_damaged_checkpoint_is_moved_aside_and_the_run_starts_anew(tmp_path):
    store, order = damage.unfinished(tmp_path / "runs")
    path = store.folder(order.config.run_id) / CHECKPOINT
    path.write_bytes(path.read_bytes()[:-1])
    record = carry_out(order, "cpu")
    assert "is cut or damaged" in record.remarks[0] and "the run starts anew" in record.remarks[0]
    assert bits(store, order.config.run_id) == unbroken(order.config, tmp_path / "unbroken")
    assert (store.root / "damaged" / f"{order.config.run_id}.1" / CHECKPOINT).exists()


def test_a_foreign_configuration_is_seen_also_under_a_right_manifest(tmp_path):
    store, order = damage.finished(tmp_path / "runs")
    folder = store.folder(order.config.run_id)
    (folder / MANIFEST).write_bytes(damage.foreign_configuration(folder))
    assert "config.json is that of another run" in verify_run(store, order.config.run_id).text


def test_a_newer_format_is_named(tmp_path):
    store, order = damage.finished(tmp_path / "runs")
    folder = store.folder(order.config.run_id)
    (folder / MANIFEST).write_bytes(damage.signed_again(folder, format=99))
    problem = verify_run(store, order.config.run_id).text
    assert f"its format is 99, made by a newer version of the lab; this one reads up to {FORMAT}: update it" in problem
    assert order.config.run_id not in store and store.state(order.config.run_id).status == "damaged"
