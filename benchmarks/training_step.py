"""How fast one training step is on the CPU: our DIA, SE and plain networks against each other and pytorchcv's.

A step is forward, loss, backward and SGD on one batch of random 3x32x32 images, by the same code for all networks. A
round measures all of them, one after another, in an order that rotates; a ratio is taken within a round, and the median
over the rounds is reported, because a machine's speed drifts. Saved activations are the bytes that autograd keeps
between forward and backward; they are counted, so they have no range.

    python benchmarks/training_step.py [--networks 29 164 20] [--rounds 7] [--steps 3] [--threads 2]

pytorchcv is optional (pip install pytorchcv). Its networks are built with random weights; nothing is downloaded.
"""

import argparse
import importlib.metadata
import statistics
import time
from dataclasses import dataclass

import torch
from torch import Tensor

from dianet_lab.analysis.cost import saved_bytes
from dianet_lab.config import AttentionConfig, ModelConfig, RunConfig, TrainConfig
from dianet_lab.data.images import ImageData, Splits, channel_statistics
from dianet_lab.model_config import DIANET, PLAIN, SENET
from dianet_lab.models import count_parameters
from dianet_lab.training.trainer import Training

try:
    from pytorchcv.models.diaresnet_cifar import get_diaresnet_cifar
    from pytorchcv.models.resnet_cifar import get_resnet_cifar
    from pytorchcv.models.seresnet_cifar import get_seresnet_cifar
except ImportError:
    THEIRS = {}
else:
    THEIRS = {"DIA": get_diaresnet_cifar, "SE": get_seresnet_cifar, "plain": get_resnet_cifar}

CPU = torch.device("cpu")
WIDTH = 54  # of a table's first column
OURS = {"DIA": DIANET, "SE": SENET, "plain": PLAIN}
FORMATS = {
    "channels_first": torch.contiguous_format,  # as shipped
    "channels_last": torch.channels_last,
}


@dataclass(frozen=True)
class Network:
    """A shape that is measured."""

    depth: int
    block: str
    batch_size: int
    classes: int

    def __str__(self) -> str:
        return f"DIA-ResNet-{self.depth} {self.block}, batch {self.batch_size}, {self.classes} classes"


NETWORKS = {
    29: Network(29, "bottleneck", 64, 10),
    164: Network(164, "bottleneck", 64, 100),
    20: Network(20, "basic", 128, 10),
}


def random_images(network: Network) -> ImageData:
    """One batch of random images, in the shape of CIFAR."""
    count = network.batch_size
    images = torch.randint(0, 256, (count, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(count) % network.classes
    names = tuple(str(label) for label in range(network.classes))
    return ImageData("random", images, labels, names, *channel_statistics(images), True, torch.arange(count))


def our_training(network: Network, data: ImageData, attention: AttentionConfig) -> Training:
    """Our network as a run of the lab trains it, but at a low rate, so that random labels don't make it diverge."""
    model = ModelConfig(depth=network.depth, block=network.block, attention=attention)
    config = RunConfig(model=model, train=TrainConfig(batch_size=network.batch_size, lr=0.01))
    training = Training(config, Splits(data, data, data), CPU)
    training.model.train()
    return training


def peer_training(network: Network, data: ImageData, unit: str, memory_format: torch.memory_format) -> Training:
    """pytorchcv's network of the same shape under the same step, with the same optimizer."""
    training = our_training(network, data, OURS[unit])
    model = THEIRS[unit](network.classes, network.depth, bottleneck=network.block == "bottleneck")
    ours, theirs = count_parameters(training.model), count_parameters(model)
    if ours != theirs:
        raise SystemExit(f"{network}: ours has {ours:,} parameters, pytorchcv's {theirs:,}; they can't be compared.")
    training.model = model.to(memory_format=memory_format).train()
    training.optimizer = torch.optim.SGD(model.parameters(), **training.optimizer.defaults)
    return training


def trainings(network: Network, data: ImageData) -> dict[str, Training]:
    """Every variant of a network, under the name that the table shows."""
    found = {f"our {unit}": our_training(network, data, attention) for unit, attention in OURS.items()}
    for unit in THEIRS:
        for name, memory_format in FORMATS.items():
            found[f"pytorchcv's {unit}, {name}"] = peer_training(network, data, unit, memory_format)
    return found


def seconds_per_step(training: Training, batch: Tensor, labels: Tensor, steps: int) -> float:
    start = time.perf_counter()
    for _ in range(steps):
        training.update(batch, labels)
    return (time.perf_counter() - start) / steps


def measure(network: Network, rounds: int, steps: int) -> tuple[dict[str, list[float]], dict[str, int]]:
    """Seconds a step in each round, and the saved bytes, of every variant."""
    data = random_images(network)
    variants = trainings(network, data)
    batch, labels = next(variants["our DIA"].stream.epoch(0, 0))
    saved = {
        name: saved_bytes(training.model, lambda training=training: training.update(batch, labels))
        for name, training in variants.items()
    }
    seconds: dict[str, list[float]] = {name: [] for name in variants}
    for number in range(-1, rounds):  # round -1 warms up
        names = list(variants)
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            found = seconds_per_step(variants[name], batch, labels, steps)
            if number >= 0:
                seconds[name].append(found)
    return seconds, saved


def show(network: Network, seconds: dict[str, list[float]], saved: dict[str, int]) -> None:
    """Two small tables: what was measured, and its ratios."""
    size = network.batch_size
    print(f"\n{network}")
    print(f"{'network':<{WIDTH}}{'ms/step':>10}{'images/s':>10}{'saved MiB/image':>18}")
    for name, found in seconds.items():
        step = statistics.median(found)
        print(f"{name:<{WIDTH}}{1000 * step:>10,.0f}{size / step:>10,.0f}{saved[name] / size / 2**20:>18.2f}")
    print(f"{'ratio':<{WIDTH}}{'median':>10}{'range':>18}")
    for unit in ("DIA", "SE"):
        show_ratio(f"step time of {unit} over plain", seconds[f"our {unit}"], seconds["our plain"])
        ratio = saved[f"our {unit}"] / saved["our plain"]
        print(f"{f'saved activations of {unit} over plain':<{WIDTH}}{ratio:>10.3f}")
    for unit in THEIRS:
        for name in FORMATS:
            peer = f"pytorchcv's {unit}, {name}"
            show_ratio(f"speed of our {unit} over {peer}", seconds[peer], seconds[f"our {unit}"])


def show_ratio(title: str, above: list[float], below: list[float]) -> None:
    ratios = [one / other for one, other in zip(above, below, strict=True)]
    extent = f"{min(ratios):.2f} - {max(ratios):.2f}"
    print(f"{title:<{WIDTH}}{statistics.median(ratios):>10.2f}{extent:>18}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Time and memory of a training step of DIA and plain networks.")
    parser.add_argument("--networks", type=int, nargs="+", choices=list(NETWORKS), default=list(NETWORKS))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=3, help="steps of a network a round")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(f"torch {torch.__version__}, {options.threads} threads, {options.rounds} rounds of {options.steps} steps")
    if not THEIRS:
        print("pytorchcv is not installed, so there is no comparison with it: pip install pytorchcv")
    else:
        print(f"pytorchcv {importlib.metadata.version('pytorchcv')}")
    for depth in options.networks:
        show(NETWORKS[depth], *measure(NETWORKS[depth], options.rounds, options.steps))


if __name__ == "__main__":
    main()
