"""A few updates of any network on any of the lab's images: to see that an attached unit learns, no more."""

import itertools
import re
from collections.abc import Iterator

import pandas as pd
import torch
import torchvision
from torch import Tensor, nn

from dianet_lab.data.batches import TrainingStream
from dianet_lab.data.images import ImageData
from dianet_lab.errors import ConfigError, LabError, unknown_name
from dianet_lab.models import image_channels

MOMENTUM = 0.9


def torchvision_resnet(name: str, weights: str | None, classes: int, seed: int) -> nn.Module:
    """A ResNet of ``torchvision.models`` with a new classifier.

    Args:
        weights: the name of pretrained ones, such as ``DEFAULT``; they are downloaded.

    Raises:
        LabError: an unknown name, or no network to download with.
    """
    known = [known for known in torchvision.models.list_models(torchvision.models) if re.match("(wide_)?resne", known)]
    if name not in known:
        raise unknown_name("residual network of torchvision", name, known)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = torchvision.models.get_model(name, weights=weights)
            model.fc = nn.Linear(model.fc.in_features, classes)
    except (KeyError, ValueError):
        names = [entry.name for entry in torchvision.models.get_model_weights(name)]
        raise unknown_name(f"weights of {name}", weights, [*names, "DEFAULT"]) from None
    except OSError as error:
        raise LabError(f"the weights of {name} could not be downloaded ({error}): leave weights out") from None
    return model


def batches(data: ImageData, batch_size: int, size: int, channels: int, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches without end, ``[B, channels, size, size]`` and labels: images enlarged, and grey ones spread out."""
    stream = TrainingStream(data, batch_size)
    for epoch in itertools.count():
        for images, labels in stream.epoch(seed, epoch):
            larger = nn.functional.interpolate(images, size=(size, size), mode="bilinear", antialias=True)
            yield larger.expand(-1, channels, -1, -1).contiguous(), labels


def fine_tune(
    model: nn.Module,
    data: ImageData,
    *,
    steps: int,
    batch_size: int = 32,
    size: int = 64,
    lr: float = 0.01,
    seed: int = 0,
) -> pd.DataFrame:
    """Train ``model`` in place by SGD with momentum 0.9; one row an update: ``step`` (from 1) and ``loss`` (nats).

    Args:
        data: what the batches are drawn from; ``seed`` decides their order and augmentation.
        size: height and width that images are enlarged to.

    Raises:
        ConfigError: no step.
    """
    if steps < 1:
        raise ConfigError(f"steps: got {steps}, expected at least 1")
    channels = image_channels(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=MOMENTUM)
    model.train()
    rows = []
    for step, (images, labels) in zip(range(steps), batches(data, batch_size, size, channels, seed), strict=False):
        loss = nn.functional.cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        rows.append({"step": step + 1, "loss": loss.item()})
    return pd.DataFrame(rows)
