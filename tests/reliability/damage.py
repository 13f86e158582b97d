"""Every kind of file of a run damaged in every way: what is injected is detected, and a study trains the run again."""

import json
import random
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from dianet_lab.studies.manifest import MANIFEST, listed
from dianet_lab.studies.signed import read_signed, write_signed
from dianet_lab.studies.state import CHECKPOINT, EVENT
from dianet_lab.studies.store import RunStore
from dianet_lab.studies.verify import verify_run
from dianet_lab.studies.work import Order, carry_out
from dianet_lab.training.stop import Interrupted, Stop
from tests.reliability.tiny import bits, tiny

FINISHED = ("config.json", "history.csv", "predictions.safetensors", "weights.safetensors", MANIFEST)
UNFINISHED = (CHECKPOINT, EVENT)


@dataclass(frozen=True)
class Damaged:
    """A kind of file, how it was damaged, and what it then contains; None if it is missing."""

    file: str
    how: str
    content: bytes | None


class AfterTwoLooks(Stop):
    """Stops a run within its second step."""

    looks = 2

    def check(self) -> None:
        self.looks -= 1
        if self.looks < 0:
            raise Interrupted("a test")


def finished(root: Path, **changes: int) -> tuple[RunStore, Order]:
    """A finished run with its weights."""
    store = RunStore(root)
    order = Order.here(tiny(**changes), store, keep_weights=True)
    carry_out(order, "cpu")
    return store, order


def unfinished(root: Path, **changes: int) -> tuple[RunStore, Order]:
    """A run that was interrupted."""
    store = RunStore(root)
    order = Order.here(tiny(**changes), store, keep_weights=True)
    with pytest.raises(Interrupted):
        carry_out(order, "cpu", AfterTwoLooks())
    return store, order


def injuries(folder: Path, foreign: Path, name: str, flips: int, draw: random.Random) -> Iterator[Damaged]:
    """All damages of one file.

    Args:
        foreign: the folder of another run, in the same state.
        flips: how many single bits are flipped, each on its own.
    """
    whole = (folder / name).read_bytes()
    size = len(whole)
    for length in sorted({0, 1, size // 10, size // 2, size - 1}):
        yield Damaged(name, "cut" if length else "emptied", whole[:length])
    for place in draw.sample(range(8 * size), flips):
        content = bytearray(whole)
        content[place // 8] ^= 1 << place % 8
        yield Damaged(name, "bit flipped", bytes(content))
    yield Damaged(name, "replaced by another run's", (foreign / name).read_bytes())
    yield Damaged(name, "replaced by rubbish", draw.randbytes(size))
    if name in FINISHED:
        yield Damaged(name, "missing", None)


def signed_again(folder: Path, **changes: object) -> bytes:
    """The manifest with something changed and a right signature, as a newer version of the lab might write it."""
    copy = folder.parent / "copy.json"
    write_signed(copy, read_signed(folder / MANIFEST) | changes)
    content = copy.read_bytes()
    copy.unlink()
    return content


def foreign_configuration(folder: Path) -> bytes:
    """A manifest that vouches for another configuration, which is written too."""
    asked = json.loads((folder / "config.json").read_text())
    asked["train"]["lr"] = 0.5
    content = json.dumps(asked).encode()
    (folder / "config.json").write_bytes(content)
    files = read_signed(folder / MANIFEST)["files"] | {"config.json": listed(content)}
    return signed_again(folder, files=files)


def detected(store: RunStore, order: Order, damaged: Damaged) -> bool:
    """Damage a copy of the run and say whether `runs verify` sees it; without a manifest it is no finished run."""
    copy = RunStore(store.root.parent / "copy")
    shutil.rmtree(copy.root, ignore_errors=True)
    shutil.copytree(store.root, copy.root)
    path = copy.folder(order.config.run_id) / damaged.file
    path.unlink() if damaged.content is None else path.write_bytes(damaged.content)
    unfinished = damaged.file == MANIFEST and copy.state(order.config.run_id).status == "pending"
    return unfinished or verify_run(copy, order.config.run_id) is not None


def inject(folder: Path, flips: int, seed: int = 0) -> dict[str, tuple[int, int, list[str]]]:
    """Damage every kind of file in every way.

    Returns:
        file -> detected, injected, and how those were damaged that were not detected.
    """
    draw, counts = random.Random(seed), {}
    for names, make in ((FINISHED, finished), (UNFINISHED, unfinished)):
        store, order = make(folder / make.__name__ / "runs")
        other, foreign = make(folder / make.__name__ / "others", seed=1)
        here, there = store.folder(order.config.run_id), other.folder(foreign.config.run_id)
        for name in names:
            damages = list(injuries(here, there, name, flips, draw))
            if name == MANIFEST:
                damages.append(Damaged(name, "of a newer format", signed_again(here, format=99)))
            missed = [damaged.how for damaged in damages if not detected(store, order, damaged)]
            counts[name] = len(damages) - len(missed), len(damages), missed
    return counts


def trained_again(folder: Path, name: str) -> bool:
    """Whether a study trains a run again one of whose files was damaged, to the same bits, and tells what it did."""
    store, order = finished(folder)
    run_id = order.config.run_id
    before, path = bits(store, run_id), store.folder(run_id) / name
    content = path.read_bytes()
    path.write_bytes(content[:-3] + b"xyz")
    record = carry_out(order, "cpu")
    told = any(f"run {run_id} was damaged: " in remark for remark in record.remarks)
    aside = store.root / "damaged" / f"{run_id}.1" / name
    return record.trained and told and aside.read_bytes() != content and bits(store, run_id) == before
