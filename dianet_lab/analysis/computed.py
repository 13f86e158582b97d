"""Claims that a computation settles: each check builds the networks in question and counts."""

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import torch

from dianet_lab.analysis.cost import crossover, describe, units_by_depth
from dianet_lab.analysis.published import PUBLISHED, PYTORCHCV, compare_counts
from dianet_lab.config import AttentionConfig, ModelConfig
from dianet_lab.errors import unknown_name
from dianet_lab.model_config import ARMS, DIANET, PLAIN, SENET
from dianet_lab.models import assemble, build_model, count_attention_parameters, count_macs, count_parameters
from dianet_lab.profiles import OFFICIAL_MODELS

DEEP = {"backbone": "resnet", "block": "bottleneck"}
"""The ResNets of the paper, but for their depth, which is 9n + 2."""

SE_SHARED = AttentionConfig(unit="se", reduction=16)


class Computed(NamedTuple):
    """Whether a claim holds, and what was found, in words."""

    holds: bool
    found: str


def _attention(attention: AttentionConfig, **model) -> int:
    """Parameters of the attention units alone."""
    with torch.device("meta"):  # counted, never run
        return count_attention_parameters(assemble(ModelConfig(attention=attention, **model), 3, 100))


def _parameters(**model) -> int:
    with torch.device("meta"):
        return count_parameters(assemble(ModelConfig(**model), 3, 100))


def same_cost_at_every_depth() -> Computed:
    """DIA's units have as many parameters at the depths of the paper's table."""
    depths = (83, 164, 245, 407)
    costs = units_by_depth("resnet", depths, {"DIA": DIANET}, block="bottleneck")["parameters"]
    found = " or ".join(f"{count:,}" for count in sorted(set(costs)))
    return Computed(costs.nunique() == 1, f"{found} parameters at depths {', '.join(map(str, depths))}")


def cheaper_than_se_from_depth_182() -> Computed:
    """The first depth 9n + 2 at which DIA with r = 4 has fewer parameters than SE per block with r = 16."""
    arms = {arm: ARMS[arm] for arm in ("DIA", "SE per block")}
    first = crossover(units_by_depth("resnet", range(11, 210, 9), arms, block="bottleneck"), "DIA", "SE per block")
    return Computed(first == 182, f"DIA is cheaper from depth {first} on")


def shared_se_is_18_times_smaller() -> Computed:
    """SE per block over one SE a stage, in parameters of the units, in ResNet-164."""
    own, shared = (_attention(attention, depth=164, **DEEP) for attention in (SENET, SE_SHARED))
    return Computed(own == 18 * shared, f"{own:,} parameters a block each, {shared:,} shared: {own / shared:g} times")


def bottleneck_is_smaller_than_plain_maps() -> Computed:
    """The maps with a bottleneck (r = 4) have fewer parameters than the single linear maps of a standard LSTM."""
    narrow, full = (_attention(attention, depth=164, **DEEP) for attention in (DIANET, AttentionConfig(reduction=None)))
    return Computed(narrow < full, f"{narrow:,} parameters with a bottleneck, {full:,} without")


def pytorchcv_counts_are_ours() -> Computed:
    """pytorchcv's counts of ResNets and PreResNets for 100 classes, plain, with SE and with DIA."""
    rows = [row for row in PUBLISHED if row.source == PYTORCHCV and row.classes == 100]
    equal = compare_counts(rows)["equal"] == "yes"
    return Computed(bool(equal.all()), f"{equal.sum()} of {len(rows)} counts are equal to the last parameter")


def gate_starts_at_a_quarter() -> Computed:
    """The mean gate of a new ResNet-20 with DIA for random images, and of one with SE per block."""
    dia, se = (describe(build_model(ModelConfig(attention=a), seed=0)).iloc[0] for a in (DIANET, SENET))
    holds = bool(abs(dia["gate"] - 0.25) < 0.02 and abs(se["gate"] - 0.5) < 0.02)
    spread = f"{dia['lowest']:.2f} to {dia['highest']:.2f}"
    return Computed(holds, f"mean gate {dia['gate']:.3f} with DIA ({spread}), {se['gate']:.3f} with SE")


def official_dia_has_an_extra_norm() -> Computed:
    """What the norm at the end of each branch adds to the official PreResNet-164 and WRN-52-4.

    With it DIA-PreResNet-164 has the parameters of the official code, without it those that pytorchcv publishes.
    """
    extra = []
    for name in ("preresnet", "wide_resnet"):
        with_norm, without = ({**OFFICIAL_MODELS[name], "branch_norm": norm} for norm in (True, False))
        extra.append(_parameters(**with_norm, attention=PLAIN) - _parameters(**without, attention=PLAIN))
    official, pytorchcv = (
        _parameters(**{**OFFICIAL_MODELS["preresnet"], "branch_norm": norm}, attention=DIANET) for norm in (True, False)
    )
    return Computed(
        extra == [16_128, 7_168] and (official, pytorchcv) == (1_961_364, 1_945_236),
        f"DIA-PreResNet-164 has {official:,} parameters with the norm, {pytorchcv:,} without; the norm has "
        f"{extra[0]:,} there and {extra[1]:,} in WRN-52-4",
    )


def sharing_saves_no_work() -> Computed:
    """Multiply-accumulates of one image in ResNet-164: sharing SE removes parameters and no work; DIA adds work."""
    arms = {"plain": PLAIN, "SE per block": SENET, "SE shared": SE_SHARED, "DIA": DIANET}
    macs = {}
    for arm, attention in arms.items():
        with torch.device("meta"):
            macs[arm] = count_macs(assemble(ModelConfig(depth=164, attention=attention, **DEEP), 3, 100), 3, 32)
    holds = macs["SE shared"] == macs["SE per block"] and macs["DIA"] > macs["SE per block"] > macs["plain"]
    told = ", ".join(f"{arm} {count / 1e6:.1f}" for arm, count in macs.items())
    return Computed(holds, f"million multiply-accumulates an image: {told}")


CHECKS: dict[str, Callable[[], Computed]] = {
    check.__name__.replace("_", "-"): check
    for check in (
        same_cost_at_every_depth,
        cheaper_than_se_from_depth_182,
        shared_se_is_18_times_smaller,
        bottleneck_is_smaller_than_plain_maps,
        pytorchcv_counts_are_ours,
        gate_starts_at_a_quarter,
        official_dia_has_an_extra_norm,
        sharing_saves_no_work,
    )
}
"""The checks by the name that ``claims.yaml`` gives in ``computed``."""


@cache
def run_check(name: str) -> Computed:
    """The outcome of a check; it is computed once a process.

    Raises:
        ConfigError: an unknown name.
    """
    if name not in CHECKS:
        raise unknown_name("computed check", name, CHECKS)
    return CHECKS[name]()
