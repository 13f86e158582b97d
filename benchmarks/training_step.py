"""How fast one training step is on the CPU: our DIA network against our plain network and against pytorchcv's DIA.

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
from torch import Tensor, nn

from dianet_lab.attention.registry import NO_UNIT
from dianet_lab.config import AttentionConfig, ModelConfig, RunConfig, TrainConfig
from dianet_lab.data.images import ImageData, Splits, channel_statistics
from dianet_lab.models import count_parameters
from dianet_lab.training.loop import Training

try:
    from pytorchcv.models.diaresnet_cifar import get_diaresnet_cifar
except ImportError:
    get_diaresnet_cifar = None

CPU = torch.device("cpu")
WIDTH = 50  # of a table's first column
DIA, PLAIN = "our DIA", "our plain network"
PEERS = {
    "pytorchcv, channels_first": torch.contiguous_format,  # as shipped
    "pytorchcv, channels_last": torch.channels_last,
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


def peer_training(network: Network, data: ImageData, memory_format: torch.memory_format) -> Training:
    """pytorchcv's network of the same shape under the same step, with the same optimizer."""
    training = our_training(network, data, AttentionConfig())
    model = get_diaresnet_cifar(network.classes, network.depth, bottleneck=network.block == "bottleneck")
    ours, theirs = count_parameters(training.model), count_parameters(model)
    if ours != theirs:
        raise SystemExit(f"{network}: ours has {ours:,} parameters, pytorchcv's {theirs:,}; they can't be compared.")
    training.model = model.to(memory_format=memory_format).train()
    training.optimizer = torch.optim.SGD(model.parameters(), **training.optimizer.defaults)
    return training


def trainings(network: Network, data: ImageData) -> dict[str, Training]:
    """Every variant of a network, under the name that the table shows."""
    found = {
        DIA: our_training(network, data, AttentionConfig()),
        PLAIN: our_training(network, data, AttentionConfig(unit=NO_UNIT)),
    }
    if get_diaresnet_cifar is not None:
        found |= {name: peer_training(network, data, memory_format) for name, memory_format in PEERS.items()}
    return found


def saved_bytes(training: Training, batch: Tensor, labels: Tensor) -> int:
    """What one step keeps for its backward pass: each storage once, without the model's own parameters and buffers."""
    own = {tensor.untyped_storage().data_ptr() for tensor in own_tensors(training.model)}
    saved: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            saved[storage.data_ptr()] = storage.nbytes()
        return tensor  # which keeps the storage alive, so that its address stays unique

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        training.update(batch, labels)
    return sum(saved.values())


def own_tensors(model: nn.Module) -> list[Tensor]:
    return [*model.parameters(), *model.buffers()]


def seconds_per_step(training: Training, batch: Tensor, labels: Tensor, steps: int) -> float:
    start = time.perf_counter()
    for _ in range(steps):
        training.update(batch, labels)
    return (time.perf_counter() - start) / steps


def measure(network: Network, rounds: int, steps: int) -> tuple[dict[str, list[float]], dict[str, int]]:
    """Seconds a step in each round, and the saved bytes, of every variant."""
    data = random_images(network)
    variants = trainings(network, data)
    batch, labels = next(variants[DIA].stream.epoch(0, 0))
    saved = {name: saved_bytes(training, batch, labels) for name, training in variants.items()}
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
    show_ratio("step time of DIA over plain", seconds[DIA], seconds[PLAIN])
    print(f"{'saved activations of DIA over plain':<{WIDTH}}{saved[DIA] / saved[PLAIN]:>10.3f}")
    for name in PEERS:
        if name in seconds:
            show_ratio(f"speed of our DIA over {name}", seconds[name], seconds[DIA])


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
    if get_diaresnet_cifar is None:
        print("pytorchcv is not installed, so there is no comparison with it: pip install pytorchcv")
    else:
        print(f"pytorchcv {importlib.metadata.version('pytorchcv')}")
    for depth in options.networks:
        show(NETWORKS[depth], *measure(NETWORKS[depth], options.rounds, options.steps))


if __name__ == "__main__":
    main()
