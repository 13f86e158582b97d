"""Independent runs in a pool of one-thread processes, against one after another in one process with all the cores.

Trains the first seeds of a quick study both ways, in turn, into throw-away stores. The time includes starting the pool.

    python benchmarks/pool.py [--study sharing] [--seeds 1] [--rounds 2]
"""

import argparse
import contextlib
import dataclasses
import io
import statistics
import tempfile
import time

from dianet_lab.studies.catalog import STUDIES, get_study
from dianet_lab.studies.execute import cores, run_study
from dianet_lab.studies.store import RunStore
from dianet_lab.studies.study import Study


def seconds(study: Study, workers: int) -> float:
    """How long the study takes from nothing."""
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        started = time.perf_counter()
        run_study(study, RunStore(folder), workers=workers, device="cpu")
        return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--study", choices=STUDIES, default="sharing")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    study = get_study(options.study, "quick", seeds=options.seeds)
    alone = dataclasses.replace(study, threads=cores())
    print(f"{len(study.configs())} runs, {cores()} cores, {options.rounds} rounds")
    rounds = [(seconds(study, cores()), seconds(alone, 1)) for _ in range(options.rounds)]
    pooled, one = (statistics.median(times) for times in zip(*rounds, strict=True))
    print(f"pool of {cores()} processes, one thread each:   {pooled:.1f} s")
    print(f"one process, {cores()} threads:                 {one:.1f} s")
    print(f"the pool is faster by                      {statistics.median(b / a for a, b in rounds):.2f}")


if __name__ == "__main__":
    main()
