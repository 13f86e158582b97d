"""The long forms: ``make reliability`` runs them and writes the figures to ``results/reliability.md``.

``python -m tests.reliability pool memory`` measures some of them again.
"""

import argparse
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch

from dianet_lab import provenance
from dianet_lab.paths import write_atomically
from dianet_lab.studies.claims import BEAT_EVERY, STALE_AFTER
from tests.reliability import crowd, damage, kills, speed, workers
from tests.reliability.tiny import tiny, unbroken

TARGET = Path(__file__).parents[2] / "results" / "reliability.md"


def named_points(folder: Path, scale: float) -> str:
    expected = unbroken(tiny(kills.EPOCHS), folder / "unbroken")
    outcomes = [kills.kill_at(point, folder / str(n), expected) for n, point in enumerate(kills.POINTS)]
    good = sum(outcome.killed and outcome.identical and not outcome.left for outcome in outcomes)
    return f"SIGKILL at each named write point, then continued: {good}/{len(outcomes)} identical to the unbroken run"


def random_points(folder: Path, scale: float) -> str:
    count = round(100 * scale)
    _, alive, identical = kills.kill_at_random(count, folder)
    return (
        f"SIGKILL at {count} random moments of a run ({alive} while it was alive), then continued: "
        f"{identical}/{count} identical to the unbroken run (SHA-256 of weights and predictions, history)"
    )


def many_processes(folder: Path, scale: float) -> str:
    found = crowd.crowd(8, round(200 * scale), folder)
    return (
        f"8 processes, {found.runs} runs, {found.kills} random kills ({found.claimed} of a process with a claim): "
        f"{found.finished}/{found.runs} finished, {found.twice} trained twice, {found.runs - found.finished} lost, "
        f"{found.different} of 10 compared ones with other bits, {found.left} claims or temporary files left"
    )


def take_over(folder: Path, scale: float) -> str:
    near = [crowd.time_to_take_over(folder / str(number)) for number in range(10)]
    far = crowd.time_to_take_over(folder / "far", elsewhere=True)
    return (
        "A dead process's claim is taken over by one that waits: on the same machine after "
        f"{statistics.median(near):.2f} s (median of 10, at most {max(near):.2f} s), of another after {far:.0f} s "
        f"(heartbeat every {BEAT_EVERY:.0f} s, given up after {STALE_AFTER:.0f} s)"
    )


def damaged_files(folder: Path, scale: float) -> str:
    counts = damage.inject(folder, flips=round(500 * scale))
    each = ", ".join(f"`{name}` {found}/{injected}" for name, (found, injected, _) in counts.items())
    found, injected = (sum(count[index] for count in counts.values()) for index in (0, 1))
    again = [damage.trained_again(folder / name, name) for name in damage.FINISHED]
    return (
        "Damage detected/injected (cut at five lengths, single bits flipped, replaced, missing): "
        f"{found}/{injected}: {each}. "
        f"In a study {sum(again)}/{len(again)} damaged runs were named, moved aside and trained again to the same bits"
    )


def lost_worker(folder: Path, scale: float) -> str:
    found = workers.lose_a_worker(folder)
    return (
        f"Dask cluster of two workers, one killed in mid-run: {found.identical}/{found.runs} runs identical to "
        f"those of one local process, {found.resumed} of them continued from a checkpoint"
    )


def pool(folder: Path, scale: float) -> str:
    found = speed.pool_loss(folder)
    return (
        f"Pool: {found.runs} quick runs on {found.workers} cores in {found.wall:.1f} s, starting the pool included: "
        f"{100 * found.loss:+.1f} % against runs / workers x the median run in the pool ({found.median:.2f} s), "
        f"{100 * found.loss_of_mean:+.1f} % against the mean run ({found.mean:.2f} s)"
    )


def checkpoints(folder: Path, scale: float) -> str:
    seconds, spent, size = speed.checkpoint_share(folder, round(180 * scale))
    return (
        f"Checkpoints of DIA-ResNet-164 ({size:.1f} MB, every 30 s) in a run of {seconds:.0f} s: {spent:.2f} s, "
        f"{100 * spent / seconds:.2f} % of its time"
    )


def long_list(folder: Path, scale: float) -> str:
    runs = round(3000 * scale)
    return f"`dianet-lab runs list` over a store of {runs:,} runs: {speed.seconds_to_list(folder, runs):.2f} s"


def memory(folder: Path, scale: float) -> str:
    small, large = round(50 * scale), round(500 * scale)
    few, many = speed.parent_memory(small), speed.parent_memory(large)
    return f"Peak memory of a pool's parent: {few:.0f} MB for {small} runs, {many:.0f} MB for {large}"


PARTS: list[Callable[[Path, float], str]] = [
    named_points,
    random_points,
    many_processes,
    take_over,
    damaged_files,
    lost_worker,
    pool,
    checkpoints,
    long_list,
    memory,
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "parts", nargs="*", help=f"of {', '.join(part.__name__ for part in PARTS)}; all, and written down"
    )
    parser.add_argument(
        "--scale", type=float, default=1.0, help="of all counts; only figures of the whole are written down"
    )
    options = parser.parse_args()
    torch.set_num_threads(1)
    lines = []
    for part in PARTS:
        if not options.parts or part.__name__ in options.parts:
            with tempfile.TemporaryDirectory() as folder:
                lines.append(part(Path(folder), options.scale))
            print(lines[-1], flush=True)
    if options.scale == 1:
        write_atomically(TARGET, report(lines) if len(lines) == len(PARTS) else corrected(options.parts, lines))
        print(f"written to {TARGET}")


def corrected(parts: list[str], lines: list[str]) -> str:
    """The page as it is, with the figures of some parts measured again."""
    page, names = TARGET.read_text().splitlines(keepends=True), [part.__name__ for part in PARTS]
    bullets = [number for number, line in enumerate(page) if line.startswith("- ")]
    for name, line in zip([name for name in names if name in parts], lines, strict=True):
        again = f"measured again {provenance.now()}, commit {provenance.commit()}"
        page[bullets[names.index(name)]] = f"- {line} ({again}).\n"
    return "".join(page)


def report(lines: list[str]) -> str:
    """The page: figures, and when and with what they were measured."""
    versions, machine = provenance.versions(), provenance.machine()
    made = f"{machine['cores']} cores of {machine['processor']}, accelerators: {machine['accelerators']}"
    packages = ", ".join(f"{name} {versions[name]}" for name in ("python", "dianet-lab", "torch"))
    return (
        "# Reliability\n\nMeasured by `make reliability` (`tests/reliability/`); the test suite has short forms.\n\n"
        + "".join(f"- {line}.\n" for line in lines)
        + f"\n{provenance.now()}, commit {provenance.commit()}, {packages}; {made}.\n"
    )


if __name__ == "__main__":
    main()
