"""What it costs to look inside: capture against a bare inference pass, and every figure of the notebook 10.

The network is an untrained DIA-ResNet-164 on random 3x32x32 images. A round measures every way of running it, one
after another in an order that rotates; a ratio is taken within a round, and the median over the rounds is reported.
Beside wall-clock time stands CPU time, summed over the threads, which other work on the machine disturbs less.

    python benchmarks/analysis.py [--depth 164] [--images 1000] [--batch 100] [--rounds 7] [--threads 2]
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import NamedTuple

import matplotlib.pyplot as plt
import pandas as pd
import torch
import xarray as xr
from torch import Tensor, nn

from dianet_lab import plots
from dianet_lab.analysis.capture import ALL, capture, capture_data
from dianet_lab.analysis.gates import chance_share, class_share, stage_measures
from dianet_lab.analysis.trajectories import explained_table, trajectory
from dianet_lab.attention.stage import HookPoint
from dianet_lab.config import ModelConfig
from dianet_lab.data.batches import evaluation_batches
from dianet_lab.data.images import ImageData, channel_statistics
from dianet_lab.models import build_model
from dianet_lab.reports.recorder import _png
from dianet_lab.training.snapshots import look_at

WIDTH = 46  # of a table's first column
USUALLY = "capture: gate, squeeze, h, c"
VIEWS = ("DIA", "SE shared", "SE per block", "untrained", "pixels shuffled")
EPOCHS = 180
"""Of the paper's training: how many snapshots the figure over training has."""


def random_images(count: int) -> ImageData:
    """Random images in the shape of CIFAR-10."""
    images = torch.randint(0, 256, (count, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    names = tuple(str(label) for label in range(10))
    labels = torch.arange(count) % 10
    return ImageData("random", images, labels, names, *channel_statistics(images), True, torch.arange(count))


@contextmanager
def without_points(model: nn.Module) -> Iterator[None]:
    """Inside, no hook point is called at all, which is what "off" must cost as little as."""
    whole = HookPoint.__call__
    HookPoint.__call__ = lambda self, gate, state, squeeze: (gate, state)
    try:
        yield
    finally:
        HookPoint.__call__ = whole


def ways(model: nn.Module) -> dict[str, Callable[[], AbstractContextManager]]:
    """Every way of running the network, by name."""
    return {
        "off": nullcontext,
        "without hook points": lambda: without_points(model),
        "capture: gate": lambda: capture(model, ["gate"]),
        USUALLY: lambda: capture(model),
        "capture: those and i, f, g, o": lambda: capture(model, ALL),
    }


class Spent(NamedTuple):
    """Seconds by the clock, and of CPU time."""

    wall: float
    cpu: float


class Watch:
    """Measures from when it is made."""

    def __init__(self) -> None:
        self.wall, self.cpu = time.perf_counter(), time.process_time()

    def spent(self) -> Spent:
        return Spent(time.perf_counter() - self.wall, time.process_time() - self.cpu)


@torch.no_grad()
def seconds(model: nn.Module, batch: Tensor, way: Callable[[], AbstractContextManager]) -> Spent:
    """One forward pass, with what the way does before and after it."""
    watch = Watch()
    with way():
        model(batch)
    return watch.spent()


def overheads(model: nn.Module, batch: Tensor, rounds: int) -> dict[str, list[Spent]]:
    """Way -> its times over those of ``off``, round by round."""
    names = list(ways(model))
    for way in ways(model).values():
        seconds(model, batch, way)
    ratios: dict[str, list[Spent]] = {name: [] for name in names}
    for number in range(rounds):
        turned = names[number % len(names) :] + names[: number % len(names)]
        took = {name: seconds(model, batch, ways(model)[name]) for name in turned}
        for name in names:
            ratios[name].append(Spent(*(a / b for a, b in zip(took[name], took["off"], strict=True))))
    return ratios


def show_overheads(ratios: Mapping[str, Sequence[Spent]]) -> None:
    print(f"\n{'way':<{WIDTH}}time over off (lowest to highest round); CPU time over off")
    for name, found in ratios.items():
        told = [
            f"{statistics.median(each):.3f} ({min(each):.3f} to {max(each):.3f})" for each in zip(*found, strict=True)
        ]
        print(f"{name:<{WIDTH}}{'; '.join(told)}")


def timed(parts: dict[str, Spent], name: str, work: Callable[[], object]) -> object:
    """Do ``work``, note its seconds, and print figures as a report would write them."""
    watch = Watch()
    made = work()
    for number in plt.get_fignums():
        _png(plt.figure(number))
    plt.close("all")
    parts[name] = watch.spent()
    return made


def measures_by_epoch(gates: Mapping[str, Sequence[xr.DataArray]]) -> pd.DataFrame:
    """The measures of every snapshot: as many times as a training of the paper is looked at, for four of the views."""
    rows = []
    for name, stages in list(gates.items())[1:]:
        for epoch in look_at(EPOCHS):
            measured = enumerate(stage_measures(stages))
            rows += [{"arm": name, "epoch": epoch, "stage": stage} | values for stage, values in measured]
    return pd.DataFrame(rows)


def every_figure(captured: Mapping[str, list[xr.Dataset]], images: ImageData) -> dict[str, Spent]:
    """Compute and draw what the notebook 10 does, from captured gates; the seconds of each figure."""
    parts: dict[str, Spent] = {}
    gates = {name: [stage["gate"] for stage in stages] for name, stages in captured.items()}
    last = len(captured[VIEWS[0]]) - 1
    pictures = {name: images.images[0].numpy() for name in gates}
    timed(parts, "maps of means", lambda: plots.plot_gate_maps(gates, start=0.25))
    timed(parts, "maps of deviations", lambda: plots.plot_gate_maps(gates, of="sd"))
    timed(parts, "distributions", lambda: [plots.plot_gate_distribution(stages) for stages in gates.values()])
    timed(parts, "variation", lambda: plots.plot_gate_variation(gates))
    for name in ("one image's walk", "another's"):
        timed(parts, name, lambda: plots.plot_image_walks(gates, pictures, 0))
    shares = timed(parts, "class shares", lambda: {n: [class_share(s).values for s in g] for n, g in gates.items()})
    ends = {name: [float(share[-1]) for share in stages] for name, stages in shares.items()}
    labels, classes, chance = images.labels.numpy(), images.class_names, chance_share(images)
    timed(parts, "class maps", lambda: plots.plot_class_maps(gates, labels, classes, ends))
    timed(parts, "class share by layer", lambda: plots.plot_class_share(shares, chance=chance))
    for name, centred in (("trajectories", False), ("trajectories, centred", True)):
        walks = timed(parts, f"{name}: PCA", lambda c=centred: {n: trajectory(s[last], c) for n, s in captured.items()})
        timed(parts, name, lambda walks=walks: plots.plot_trajectories(walks, stage=last))
    timed(parts, "explained variance, all stages", lambda: explained_table(captured))
    course = timed(parts, "measures of each snapshot", lambda: measures_by_epoch(gates))
    timed(parts, "over training", lambda: plots.plot_gates_by_epoch(course, chance=chance))
    return parts


def capturing(model: nn.Module, images: ImageData, batch: int) -> tuple[Spent, Spent, list[xr.Dataset]]:
    """What bare forward passes over all images take, and the same with everything captured; and what was captured."""
    watch = Watch()
    with torch.no_grad():
        for part, _ in evaluation_batches(images, batch, device=torch.device("cpu")):
            model(part)
    bare, watch = watch.spent(), Watch()
    captured = capture_data(model, images, ["gate", "h", "c"], batch)
    return bare, watch.spent(), captured


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--depth", type=int, default=164)
    parser.add_argument("--images", type=int, default=1000, help="of the figures; 0 for no figures")
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(f"torch {torch.__version__}, {options.threads} threads, DIA-ResNet-{options.depth} bottleneck, untrained")
    config = ModelConfig(depth=options.depth, block="bottleneck")
    model = build_model(config, 3, 10).to(memory_format=torch.channels_last).eval()
    images = random_images(max(options.images, options.batch))
    batch, _ = next(evaluation_batches(images, options.batch, device=torch.device("cpu")))
    print(f"{options.rounds} rounds of one batch of {len(batch)} images")
    ratios = overheads(model, batch, options.rounds)
    show_overheads(ratios)

    if options.images:
        show_figures(model, images, options.batch, statistics.median(ratio.wall for ratio in ratios[USUALLY]))


def show_figures(model: nn.Module, images: ImageData, batch: int, ratio: float) -> None:
    """What every figure takes; what capture adds is ``ratio``, the steadier measurement, times the bare passes."""
    plots.set_style()
    bare, seen, stages = capturing(model, images, batch)
    parts = every_figure(dict.fromkeys(VIEWS, stages), images)
    added = Spent(*(max(0.0, ratio - 1) * each for each in bare))
    drawn = Spent(*map(sum, zip(*parts.values(), strict=True)))
    lines = {"forward passes alone": bare, "with everything captured": seen} | parts | {"all figures": drawn}
    lines["and what capture adds for five networks"] = Spent(
        *(d + len(VIEWS) * a for d, a in zip(drawn, added, strict=True))
    )
    print(f"\n{f'{len(images):,} images, figures of five networks':<{WIDTH}}{'seconds':>9}{'CPU s':>9}")
    for name, spent in lines.items():
        print(f"{name:<{WIDTH}}{spent.wall:>9.1f}{spent.cpu:>9.1f}")


if __name__ == "__main__":
    main()
