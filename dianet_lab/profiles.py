"""The five scales at which every study can be asked."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

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


@dataclass(frozen=True)
class Profile:
    """A scale: what a study's runs are based on, how many seeds, and what may be concluded from it.

    ``threads`` are the CPU threads of one run; they are part of the profile because they change the last bits.
    """

    name: str
    base: RunConfig
    seeds: int
    threads: int
    demonstration: bool
    note: str


_DIGITS = TrainConfig(epochs=100, batch_size=32, lr=0.1, schedule="cosine", warmup_epochs=5, eval_every=25)

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
        ),
        Profile(
            "quick",
            RunConfig(data=DataConfig(train_size=100), train=_DIGITS),
            seeds=6,
            threads=1,
            demonstration=True,
            note="a first look in minutes on a laptop: small images, few of them, few seeds",
        ),
        Profile(
            "digits",
            RunConfig(model=ModelConfig(depth=38), data=DataConfig(train_size=100), train=_DIGITS),
            seeds=24,
            threads=1,
            demonstration=False,
            note="full power on digits: six blocks a stage and enough seeds to tell one point; still 8x8 images",
        ),
        Profile(
            "cifar10",
            RunConfig(
                data=DataConfig(source="cifar10", train_size=10_000, val_size=1_000),
                train=TrainConfig(epochs=30, schedule="cosine", warmup_epochs=1, eval_every=10),
            ),
            seeds=5,
            threads=1,
            demonstration=False,
            note="a fifth of CIFAR-10, a small network, a night on a laptop",
        ),
        Profile(
            "paper",
            RunConfig(
                model=ModelConfig(**OFFICIAL_MODELS["resnet"]),
                data=DataConfig(source="cifar100", val_size=0),
                train=OFFICIAL_RECIPES["resnet"],
            ),
            seeds=5,
            threads=4,
            demonstration=False,
            note="the paper's network, data and training; needs GPUs",
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
