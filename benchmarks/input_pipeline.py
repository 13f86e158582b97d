"""How many training images a second: our stream against PIL transforms and a DataLoader with 0 and with 2 workers.

Every pipeline crops, mirrors and normalises CIFAR-10 in batches of 128, with all of its images in memory beforehand. A
round measures all of them, one after another, in an order that rotates; a ratio is taken within a round, and the median
over the rounds is reported, because a machine's speed drifts.

    python benchmarks/input_pipeline.py --data FOLDER [--rounds 7]
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator

import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from dianet_lab.config import DataConfig
from dianet_lab.data.batches import TrainingStream
from dianet_lab.data.images import ImageData, channel_statistics
from dianet_lab.data.sources import load_data

BATCH_SIZE = 128
OURS = "TrainingStream"


class PilImages(Dataset):
    """The usual data set: PIL images and a composition of transforms."""

    def __init__(self, data: ImageData):
        self.images = [Image.fromarray(image) for image in data.images.permute(0, 2, 3, 1).numpy()]
        self.labels = data.labels.tolist()
        self.transform = transforms.Compose(
            [
                transforms.RandomCrop(32, padding=4),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                transforms.Normalize(data.mean.tolist(), data.std.tolist()),
            ]
        )

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, position: int) -> tuple[torch.Tensor, int]:
        return self.transform(self.images[position]), self.labels[position]


def training_images(folder: str | None) -> ImageData:
    """CIFAR-10 from a folder of Parquet files, or random images of the same number and shape."""
    if folder:
        return load_data(DataConfig(source="parquet", path=folder, val_size=0), 0).train
    print("No --data: random images in the shape of CIFAR-10.")
    images = torch.randint(0, 256, (50_000, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(50_000) % 10
    return ImageData("random", images, labels, tuple("abcdefghij"), *channel_statistics(images), True, labels)


def images_per_second(batches: Iterator, limit: int) -> float:
    """Speed over at most ``limit`` images. The first batch, in which workers start, does not count."""
    next(batches)
    count, start = 0, time.perf_counter()
    for images, _ in batches:
        count += len(images)
        if count >= limit:
            break
    return count / (time.perf_counter() - start)


def pipelines(data: ImageData, loader_images: int) -> dict[str, Callable[[int], float]]:
    """Each pipeline as a function from the number of a round to images a second."""
    stream, pictures = TrainingStream(data, BATCH_SIZE), PilImages(data)

    def ours(number: int) -> float:
        return images_per_second(stream.epoch(0, number), len(data))

    def loader(workers: int) -> Callable[[int], float]:
        def measure(number: int) -> float:
            batches = DataLoader(pictures, BATCH_SIZE, shuffle=True, num_workers=workers, drop_last=True)
            return images_per_second(iter(batches), loader_images)

        return measure

    return {OURS: ours, "DataLoader, 0 workers": loader(0), "DataLoader, 2 workers": loader(2)}


def main() -> None:
    parser = argparse.ArgumentParser(description="Images a second of our stream and of PIL transforms + DataLoader.")
    parser.add_argument("--data", help="folder of CIFAR-10 in Parquet files; random images without it")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--loader-images", type=int, default=10_000, help="images of a DataLoader a round (it is slow)")
    options = parser.parse_args()
    measures = pipelines(training_images(options.data), options.loader_images)
    speeds: dict[str, list[float]] = {name: [] for name in measures}
    for number in range(-1, options.rounds):  # round -1 warms up
        names = list(measures)
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            speed = measures[name](number + 1)
            if number >= 0:
                speeds[name].append(speed)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {options.rounds} rounds, batch {BATCH_SIZE}")
    print(f"{'pipeline':<24}{'images/s':>10}{'ours is faster by':>20}{'range':>16}")
    for name, found in speeds.items():
        ratios = [mine / other for mine, other in zip(speeds[OURS], found, strict=True)]
        extent = f"{min(ratios):.1f} - {max(ratios):.1f}"
        print(f"{name:<24}{statistics.median(found):>10,.0f}{statistics.median(ratios):>20.1f}{extent:>16}")


if __name__ == "__main__":
    main()
