"""The five scales at which every study can be asked."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from dianet_lab.config import DataConfig, ModelConfig, RunConfig, TrainConfig
from dianet_lab.errors import unknown_name

OFFICIAL_RECIPES: dict[str, TrainConfig] = {
    "resnet": TrainConfig(epochs=180, milestones=(60, 120), weight_decay=1e-4),
    "preresnet": TrainConfig(epochs=164, milestones=(81, 122), weight_decay=1e-4),
    "wide_resnet": TrainConfig(epochs=200, milestones=(80, 120, 160), gamma=0.2, weight_decay=5e-4),
    "resnext": TrainConfig(epochs=300, milestones=(150, 225), weight_decay=5e-4),
}
"""Training of each backbone in the official repository (``run_code.py`` and the defaults of ``cifar.py``): SGD with
momentum 0.9, rate 0.1, batch 128, no warm-up, no label smoothing."""


OFFICIAL_MODELS: dict[str, Mapping[str, Any]] = {
    "resnet": {"depth": 164, "block": "bottleneck"},
    "preresnet": {
        "backbone": "preresnet", "depth": 164, "block": "bottleneck", "branch_norm": True, "projection": "raw",
    },
    "wide_resnet": {"backbone": "wide_resnet", "depth": 52, "widen": 4, "dropout": 0.3, "branch_norm": True},
    "resnext": {
        "backbone": "resnext", "depth": 101, "width": 32, "widen": 4, "cardinality": 8, "base_width": 32,
    },
}  # fmt: skip
"""The four networks of the official repository, as fields of ``ModelConfig``, for CIFAR. Its DIA-PreResNet and DIA-WRN
end each branch in a norm that the plain ones lack; here it is set for every arm, so that only attention differs."""


class Shaky(NamedTuple):
    """The grid of the study of stability, whose runs are short: what diverges does so early."""

    depths: tuple[int, ...]
    rates: tuple[float, ...]
    seeds: int
    epochs: int


@dataclass(frozen=True)
class Profile:
    """A scale: what a study's runs are based on, how many seeds, and what may be concluded from it.

    ``threads`` are the CPU threads of one run; they are part of the profile because they change the last bits.

    Args:
        seeds: of the core arms, those of a primary contrast; fixed before any of their runs.
        few: seeds of every other arm, which is exploratory.
        delta: the smallest difference of accuracy (0 to 1) that matters, and ``why`` it is that.
        tuning_seeds: how many seeds choose each core arm's own learning rate, on validation images.
        depths: of the study of depth.
        shaky: the study of stability: ``depths``, ``rates``, ``seeds`` and ``epochs``.
    """

    name: str
    base: RunConfig
    seeds: int
    threads: int
    demonstration: bool
    note: str
    delta: float
    why: str
    depths: tuple[int, ...]
    shaky: Shaky
    few: int = 3
    tuning_seeds: int = 4
    rates: tuple[float, ...] = (0.03, 0.1, 0.3)
    family: tuple[str, ...] = ("sharing", "cell", "activation", "reduction")
    eight: bool = False


_DIGITS = TrainConfig(epochs=100, batch_size=32, lr=0.1, schedule="cosine", warmup_epochs=5, eval_every=25)
_ONE_POINT = "one point is 10 of the 1,000 test images, about the spread over seeds of a difference between two arms"
_HALF_POINT = "half a point is about half of what independent single runs (pytorchcv) found for ResNet-164 on CIFAR-100"

PROFILES: dict[str, Profile] = {
    profile.name: profile
    for profile in (
        Profile(
            "smoke",
            RunConfig(
                model=ModelConfig(depth=14, width=8),
                data=DataConfig(train_size=60, val_size=20, test_limit=100),
                train=_DIGITS.with_epochs(4),
            ),
            seeds=2,
            threads=1,
            demonstration=True,
            note="tests that everything runs; its numbers mean nothing",
            delta=0.01,
            why=_ONE_POINT,
            depths=(8, 14),
            shaky=Shaky(depths=(8,), rates=(0.1, 1.0), seeds=2, epochs=2),
            few=2,
            tuning_seeds=1,
            rates=(0.1, 0.3),
        ),
        Profile(
            "quick",
            RunConfig(
                model=ModelConfig(depth=38, width=8), data=DataConfig(train_size=100), train=_DIGITS.with_epochs(60)
            ),
            seeds=3,
            threads=1,
            demonstration=True,
            note="a first look in minutes on a laptop: small images, few of them, a narrow network, few seeds",
            delta=0.01,
            why=_ONE_POINT,
            depths=(20, 38),
            shaky=Shaky(depths=(20,), rates=(0.1, 1.0), seeds=3, epochs=20),
            tuning_seeds=1,
        ),
        Profile(
            "digits",
            RunConfig(model=ModelConfig(depth=38), data=DataConfig(train_size=100, val_size=600), train=_DIGITS),
            seeds=20,
            threads=1,
            demonstration=False,
            note="full power on digits: six blocks a stage and enough seeds to tell 1.5 points; still 8x8 images",
            delta=0.01,
            why=_ONE_POINT,
            depths=(20, 38, 56, 74),
            shaky=Shaky(depths=(20, 38), rates=(0.1, 0.3, 1.0), seeds=8, epochs=30),
            tuning_seeds=6,
        ),
        Profile(
            "cifar10",
            RunConfig(
                model=ModelConfig(depth=38, width=8),
                data=DataConfig(source="cifar10", train_size=1_000, val_size=1_000, augment=False),
                train=TrainConfig(epochs=50, batch_size=64, schedule="cosine", warmup_epochs=2, eval_every=25),
            ),
            seeds=8,
            threads=1,
            demonstration=False,
            note="1,000 images of CIFAR-10, not augmented: few enough that a deep and narrow network fits them at "
            "every rate within 800 steps; an evening on a laptop",
            delta=0.005,
            why=_HALF_POINT,
            depths=(20, 38, 56),
            shaky=Shaky(depths=(38,), rates=(0.03, 0.1, 0.3, 1.0), seeds=5, epochs=5),
            tuning_seeds=2,
            family=("cell",),
            eight=True,
        ),
        Profile(
            "paper",
            RunConfig(
                model=ModelConfig(**OFFICIAL_MODELS["resnet"]),
                data=DataConfig(source="cifar100", val_size=5_000),
                train=OFFICIAL_RECIPES["resnet"],
            ),
            seeds=5,
            threads=4,
            demonstration=False,
            note="the paper's network, data and training; needs GPUs",
            delta=0.005,
            why=_HALF_POINT,
            depths=(83, 164, 245, 407),
            shaky=Shaky(depths=(83, 164), rates=(0.01, 0.03, 0.1, 0.3), seeds=5, epochs=180),
            tuning_seeds=2,
        ),
    )
}


def get_profile(name: str) -> Profile:
    """A profile by name.

    Raises:
        ConfigError: an unknown name, with the valid ones and the closest.
    """
    if name not in PROFILES:
        raise unknown_name("profile", name, PROFILES)
    return PROFILES[name]
