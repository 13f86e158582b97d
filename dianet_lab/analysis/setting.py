"""The scale of the lab's results, and the preconditions of a claim that it does not meet."""

from dataclasses import dataclass

from dianet_lab.analysis.claim_file import Preconditions
from dianet_lab.backbones.registry import BACKBONES
from dianet_lab.config import RunConfig
from dianet_lab.data.batches import steps_per_epoch
from dianet_lab.data.images import ImageData
from dianet_lab.profiles import get_profile

_ALL_IMAGES = {"digits": 797, "cifar10": 50_000, "cifar100": 50_000}
"""Images from which training and validation parts are drawn."""

_DATA_WORDS = {"digits": "8x8 digits", "cifar10": "CIFAR-10", "cifar100": "CIFAR-100", "parquet": "images of a folder"}


@dataclass(frozen=True)
class Setting:
    """The scale of the lab's results: what preconditions are held against.

    ``images`` and ``updates`` (training images, steps of the optimiser) are None where only the data can tell.
    """

    data: str
    images: int | None
    network: str
    depth: int
    block: str
    blocks: int
    width: int
    epochs: int
    updates: int | None
    demonstration: bool
    profile: str
    words: str = ""

    @classmethod
    def of(
        cls, config: RunConfig, profile: str, demonstration: bool | None = None, images: ImageData | None = None
    ) -> "Setting":
        """The setting of a study's base at a scale.

        Args:
            demonstration: whether the runs are one; as the profile says if not given.
            images: what they were trained on, if that is loaded: a folder does not say by its name what is in it.

        Raises:
            ConfigError: an unknown profile.
        """
        model, data, train = config.model, config.data, config.train
        every = _ALL_IMAGES.get(data.source)
        number = data.train_size or (every - data.val_size if every else None)
        return cls(
            data=data.source,
            images=number,
            network=f"{BACKBONES[model.backbone].title}-{model.depth}",
            depth=model.depth,
            block=model.block,
            blocks=model.blocks_per_stage,
            width=model.width,
            epochs=train.epochs,
            updates=train.epochs * steps_per_epoch(number, train.batch_size) if number else None,
            demonstration=get_profile(profile).demonstration if demonstration is None else demonstration,
            profile=profile,
            words="" if images is None else f"JPEG-compressed {images.name}" if images.jpeg else images.name,
        )

    @property
    def scale(self) -> str:
        """In short words, such as ``8x8 digits, ResNet-38``."""
        return f"{self.data_words}, {self.network}"

    @property
    def data_words(self) -> str:
        """The images in short words."""
        known = self.words if self.data == "parquet" else ""
        return known or _DATA_WORDS[self.data]


def unmet(needs: Preconditions, setting: Setting) -> list[str]:
    """The preconditions that a setting does not meet, each in words; a number that is not known meets none."""
    found = []
    if needs.data and setting.data not in needs.data:
        here = setting.data_words if setting.data == "parquet" else setting.data
        found.append(f"data {here}, needs {' or '.join(needs.data)}")
    if needs.block and setting.block != needs.block:
        found.append(f"{setting.block} blocks, needs {needs.block}")
    names = {"depth": "depth", "blocks": "blocks a stage", "width": "width", "images": "training images"}
    for field, name in (names | {"epochs": "epochs", "updates": "updates"}).items():
        least, here = getattr(needs, f"min_{field}"), getattr(setting, field)
        if least is not None and (here is None or here < least):
            found.append(f"{name} {'unknown' if here is None else format(here, ',')}, needs {least:,}")
    return found
