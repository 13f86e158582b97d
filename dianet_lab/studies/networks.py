"""The study of all backbones: each plain, with SE per block and with DIA, with as many blocks as the scale's ResNet."""

from collections.abc import Mapping
from typing import Any

from dianet_lab.backbones.registry import BACKBONES
from dianet_lab.config import ModelConfig, RunConfig
from dianet_lab.model_config import ARMS
from dianet_lab.profiles import OFFICIAL_MODELS, OFFICIAL_RECIPES
from dianet_lab.studies.study import Contrast, Study, dotted

SMALL: dict[str, dict[str, Any]] = {
    "preresnet": {},
    "wide_resnet": {"widen": 2},
    "resnext": {"widen": 2, "cardinality": 4, "base_width": 4},
}
"""The other backbones at a small scale: within about four times the ResNet's parameters."""


def networks_study(base: RunConfig, seeds: range, threads: int) -> Study:
    """Every backbone with every attention of ``model_config.ARMS``; at the paper's scale its networks and recipes.

    Arms are called ``PreResNet, DIA``; the ResNet's have the runs of the other studies. Compared is DIA with plain and
    with SE on each backbone, and DIA's gain over plain on a backbone with its gain on the ResNet.
    """
    official = base.model == ModelConfig(**OFFICIAL_MODELS["resnet"])
    arms: dict[str, Mapping[str, Any]] = {}
    contrasts, across = [], []
    for name, backbone in BACKBONES.items():
        shape = _official(name, base) if official else _small(name, base)
        titles = {unit: f"{backbone.title}, {unit}" for unit in ARMS}
        for unit, title in titles.items():
            arms[title] = shape | dotted("model.attention", ARMS[unit].asked())
        dia = titles.pop("DIA")
        contrasts += [Contrast(f"{backbone.title}: DIA - {unit}", {dia: 1, arm: -1}) for unit, arm in titles.items()]
        if name != "resnet":
            weights = {dia: 1, titles["plain"]: -1, "ResNet, DIA": -1, "ResNet, plain": 1}
            across.append(Contrast(f"{backbone.title} against ResNet (DIA - plain)", weights))
        if shape.get("model.branch_norm"):  # the plain network as it was published, without DIA's extra norm
            arms[f"{backbone.title}, no extra norm"] = arms[titles["plain"]] | {"model.branch_norm": False}
    first, named = next(iter(arms)), contrasts + across
    return Study("networks", base, arms=arms, seeds=seeds, baseline=first, contrasts=named, threads=threads)


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
