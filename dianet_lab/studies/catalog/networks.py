"""The study of all backbones, each with as many blocks as the scale's ResNet: plain, with SE and with DIA."""

from collections.abc import Mapping
from typing import Any

from dianet_lab.backbones.registry import BACKBONES
from dianet_lab.config import ModelConfig, RunConfig
from dianet_lab.profiles import OFFICIAL_MODELS, OFFICIAL_RECIPES, Profile
from dianet_lab.studies.catalog.arms import ARMS
from dianet_lab.studies.catalog.building import assembled
from dianet_lab.studies.contrast import Contrast
from dianet_lab.studies.study import Study, dotted

SMALL: dict[str, dict[str, Any]] = {
    "preresnet": {},
    "wide_resnet": {"widen": 2},
    "resnext": {"widen": 2, "cardinality": 4, "base_width": 4},
}
"""The other backbones at a small scale: within about four times the ResNet's parameters."""


SHOWN = ("plain", "plain, gain 0.25", "SE per block", "DIA")


def networks_study(scale: Profile) -> Study:
    """Every backbone plain, plain with a start at a quarter, with SE per block and with DIA.

    At the paper's scale they are its networks and recipes. Arms are called ``PreResNet, DIA``; the ResNet's have the
    runs of the other studies. Compared is DIA with the others on each backbone, and DIA's gain over plain on a backbone
    with its gain on the ResNet. All of it is exploratory.
    """
    base = scale.base
    official = base.model == ModelConfig(**OFFICIAL_MODELS["resnet"])
    arms: dict[str, Mapping[str, Any]] = {}
    contrasts, across = [], []
    for name, backbone in BACKBONES.items():
        shape = _official(name, base) if official else _small(name, base)
        titles = {unit: f"{backbone.title}, {unit}" for unit in SHOWN}
        arms |= {title: {**shape, **ARMS[unit]} for unit, title in titles.items()}
        dia = titles.pop("DIA")
        contrasts += [
            Contrast(f"{backbone.title}: DIA - {unit}", {dia: 1, arm: -1}, scale.delta, primary=False)
            for unit, arm in titles.items()
        ]
        if name != "resnet":
            weights = {dia: 1, titles["plain"]: -1, "ResNet, DIA": -1, "ResNet, plain": 1}
            title = f"{backbone.title} against ResNet (DIA - plain)"
            across.append(Contrast(title, weights, scale.delta, primary=False))
        if shape.get("model.branch_norm"):  # the plain network as it was published, without DIA's extra norm
            arms[f"{backbone.title}, no extra norm"] = {**arms[titles["plain"]], "model.branch_norm": False}
    return assembled("networks", scale, arms, contrasts + across, baseline=next(iter(arms)))


def _small(name: str, base: RunConfig) -> dict[str, Any]:
    """As many blocks a stage, and as wide a stem, as the base."""
    if name == "resnet":
        return {}
    step, rest = BACKBONES[name].rule()
    depth = step * base.model.blocks_per_stage + rest
    return dotted("model", {"backbone": name, "depth": depth} | SMALL.get(name, {}))


def _official(name: str, base: RunConfig) -> dict[str, Any]:
    """The network of the official repository with its recipe, stretched as the base's was."""
    if name == "resnet":
        return {}
    recipe, usual = OFFICIAL_RECIPES[name], OFFICIAL_RECIPES["resnet"].epochs
    if base.train.epochs != usual:
        recipe = recipe.with_epochs(max(1, round(recipe.epochs * base.train.epochs / usual)))
    model = ModelConfig(**OFFICIAL_MODELS[name]).model_dump(exclude={"attention"})
    return dotted("model", model) | dotted("train", recipe.model_dump())
