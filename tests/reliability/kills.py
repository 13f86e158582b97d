"""SIGKILL at every point at which something is written, and at random ones; then go on and compare the bits."""

import os
import random
import shutil
import signal
import time
from dataclasses import dataclass, replace
from pathlib import Path

from dianet_lab.studies import claims, upkeep
from dianet_lab.studies.store import RunStore
from dianet_lab.studies.work import Order, carry_out
from tests.reliability.tiny import bits, in_process, kill, leftovers, tiny, train_one, unbroken

FILES = (
    "config.json",
    "checkpoint.bin",
    "event.json",
    "history.csv",
    "predictions.safetensors",
    "weights.safetensors",
    "manifest.json",
)
MOMENTS = ("half written", "before the rename", "after the rename")
POINTS = [f"{file}: {moment}" for file in FILES for moment in MOMENTS]
POINTS += ["claim: half written", "claim: made", "a damaged run: half moved aside"]
"""Where a process is killed; of checkpoints it is the third."""

EPOCHS = 4
RETIMED = 3
"""How often a run that ended before its moment is tried again, its own life being the measure then."""


def die() -> None:
    """End this process at once."""
    os.kill(os.getpid(), signal.SIGKILL)


def die_at(point: str) -> None:
    """In a process that will train: let it be killed at a point."""
    file, _, moment = point.partition(": ")
    left = 3 if file == "checkpoint.bin" else 1
    replace, fsync, create, move = os.replace, os.fsync, claims._create, shutil.move

    def reached(name: str, when: str) -> bool:
        nonlocal left
        left -= name == file and when == moment
        return not left

    def killing_replace(source: Path, target: Path) -> None:
        if reached(Path(target).name, "before the rename"):
            die()
        replace(source, target)
        if reached(Path(target).name, "after the rename"):
            die()

    def killing_fsync(handle: int) -> None:
        name = Path(os.readlink(f"/proc/self/fd/{handle}")).name
        if reached(name[1:-37].removesuffix("."), "half written"):  # .NAME.UUID.tmp
            os.ftruncate(handle, os.fstat(handle).st_size // 2)
            die()
        fsync(handle)

    def killing_create(path: Path, holder: claims.Holder) -> None:
        if point == "claim: half written":
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text('{"place": ')
            die()
        create(path, holder)
        if point == "claim: made":
            die()

    def killing_move(source: Path, target: Path) -> None:
        move(source, target)
        die()

    os.replace, os.fsync, claims._create = killing_replace, killing_fsync, killing_create
    if file == "a damaged run":
        upkeep.shutil.move = killing_move
    if file == "event.json":  # which is written when a run is stopped
        _stop_soon()


def _stop_soon() -> None:
    from dianet_lab.training import trainer

    update, steps = trainer.Training.update, 0

    def counting(self, batch, labels):
        nonlocal steps
        steps += 1
        if steps == 3:
            os.kill(os.getpid(), signal.SIGTERM)
        return update(self, batch, labels)

    trainer.Training.update = counting


@dataclass(frozen=True)
class Outcome:
    """What was seen at one point: whether the process died there, and whether the continued run has the right bits."""

    point: str
    killed: bool
    identical: bool
    left: list[str]


def kill_at(point: str, folder: Path, expected: tuple[str, str, str]) -> Outcome:
    """Kill a run at a named point, go on, and compare."""
    config, store = tiny(EPOCHS), RunStore(folder)
    order = Order.here(config, store, keep_weights=True, checkpoint_every=0.0)
    if point.startswith("a damaged run"):
        carry_out(order, "cpu")
        (store.folder(config.run_id) / "history.csv").write_text("epoch\n")
    process = in_process(train_one, order, die_at, point)
    process.join()
    killed = process.exitcode == -signal.SIGKILL
    if store.has(config.run_id, weights=True) != (point == "manifest.json: after the rename"):
        return Outcome(
            point, killed, False, ["it counts as finished" if config.run_id in store else "it is not finished"]
        )
    return Outcome(point, killed, _go_on(order, store) == expected, leftovers(store))


def _go_on(order: Order, store: RunStore) -> tuple[str, str, str]:
    record = carry_out(replace(order, patience=2 * claims.STALE_AFTER), "cpu")
    assert record.status == "finished", record
    return bits(store, order.config.run_id)


def kill_at_random(count: int, folder: Path, seed: int = 0) -> tuple[list[float], int, int]:
    """Kill a run at random moments of its life, go on, and compare.

    Returns:
        the moments, as shares of the life of an undisturbed run; how many kills found it alive; how many of all
        continued runs have the bits of the undisturbed one.
    """
    config, draw = tiny(40), random.Random(seed)
    in_process(int).join()  # so that the fork server is there when the life is timed
    expected = unbroken(config, folder / "unbroken")
    first = RunStore(folder / "timed")
    start = time.monotonic()
    in_process(train_one, Order.here(config, first, keep_weights=True, checkpoint_every=0.0)).join()
    life = time.monotonic() - start
    shares, alive, identical = [], 0, 0
    for number in range(count):
        store = RunStore(folder / str(number))
        order = Order.here(config, store, keep_weights=True, checkpoint_every=0.0)
        shares.append(draw.random())
        for _ in range(RETIMED):
            process, start = in_process(train_one, order), time.monotonic()
            process.join(shares[-1] * life)
            if process.is_alive():
                break
            life = time.monotonic() - start  # the machine was busier when the life was timed
            shutil.rmtree(store.root)
        alive += process.is_alive()
        kill(process) if process.is_alive() else None
        identical += _go_on(order, store) == expected and not leftovers(store)
        shutil.rmtree(store.root)
    return shares, alive, identical
