"""Parameter counts that others published, or that follow from the official code, to hold ours against."""

from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd
import torch
import torchvision

from dianet_lab.attach import attach_attention
from dianet_lab.backbones.registry import BACKBONES
from dianet_lab.config import AttentionConfig, ModelConfig
from dianet_lab.model_config import ARMS, DIANET, PLAIN, SENET
from dianet_lab.models import assemble, count_attention_parameters, count_parameters
from dianet_lab.profiles import OFFICIAL_MODELS

PYTORCHCV = "pytorchcv"
"""``gluon/README.md`` of pytorchcv's repository (osmr/imgclsmob), counted there from an implementation of its own."""
OFFICIAL = "official code"
"""Counted by hand from the layer shapes in the official repository (gbup-group/DIANet)."""
BY_HAND = "by hand"
"""Counted by hand with SE's units at r = 16, which the official repository does not have."""
TORCHVISION = "torchvision + DIA"
"""torchvision's own count and, by the closed form 10Cq + 2q + 8C, a cell for each stage."""


class Published(NamedTuple):
    """A network and its published number of parameters: exact as ``1,946,132``, or rounded as ``1.95M``."""

    network: str
    arm: str
    classes: int
    parameters: str
    source: str
    model: ModelConfig | tuple[str, AttentionConfig]
    """A configuration of the lab, or the name of torchvision's function and what is attached to its network."""


_DEPTHS = ((20, "basic"), (56, "basic"), (110, "basic"), (164, "bottleneck"))
_CLOSED = {  # (backbone, arm) -> parameters at the depths above, for 10 and for 100 classes
    ("resnet", "plain"): ((272_474, 855_770, 1_730_714, 1_704_154), (278_324, 861_620, 1_736_564, 1_727_284)),
    ("resnet", "SE per block"): ((274_847, 862_889, 1_744_952, 1_906_258), (280_697, 868_739, 1_750_802, 1_929_388)),
    ("resnet", "DIA"): ((286_866, 870_162, 1_745_106, 1_923_002), (292_716, 876_012, 1_750_956, 1_946_132)),
    ("preresnet", "plain"): ((272_282, 855_578, 1_730_522, 1_703_258), (278_132, 861_428, 1_736_372, 1_726_388)),
    ("preresnet", "SE per block"): ((274_559, 862_601, 1_744_664, 1_904_882), (280_409, 868_451, 1_750_514, 1_928_012)),
    ("preresnet", "DIA"): ((286_674, 869_970, 1_744_914, 1_922_106), (292_524, 875_820, 1_750_764, 1_945_236)),
}


def _pytorchcv() -> list[Published]:
    rows = []
    for (backbone, arm), counts in _CLOSED.items():
        for classes, numbers in zip((10, 100), counts, strict=True):
            for (depth, block), number in zip(_DEPTHS, numbers, strict=True):
                # pytorchcv's SE-PreResNet has its outer norm behind the first convolution.
                outer = {"outer_norm": "first"} if (backbone, arm) == ("preresnet", "SE per block") else {}
                model = ModelConfig(backbone=backbone, depth=depth, block=block, attention=ARMS[arm], **outer)
                name = f"{BACKBONES[backbone].title}-{depth}, {block}"
                rows.append(Published(name, arm, classes, f"{number:,}", PYTORCHCV, model))
    return rows


# The plain networks and those with SE are counted as they were published, without DIA's extra norm.
_WRN = {**OFFICIAL_MODELS["wide_resnet"], "branch_norm": False}
_RESNEXT = OFFICIAL_MODELS["resnext"]


def _official() -> list[Published]:
    extra = "DIA, extra norm"
    rows = [
        ("PreResNet-164, bottleneck", extra, "1,961,364", OFFICIAL_MODELS["preresnet"], DIANET),
        ("WRN-52-4", "plain", "12,072,500", _WRN, PLAIN),
        ("WRN-52-4", extra, "12,298,516", OFFICIAL_MODELS["wide_resnet"], DIANET),
        ("WRN-52-4", "SE per block", "12.16M", _WRN, SENET),
        ("ResNeXt-101, 8x32", "plain", "32,138,244", _RESNEXT, PLAIN),
        ("ResNeXt-101, 8x32", "DIA", "33,006,020", _RESNEXT, DIANET),
        ("ResNeXt-101, 8x32", "SE per block", "32.62M", _RESNEXT, SENET),
    ]
    deep = OFFICIAL_MODELS["resnet"]
    for reduction, count in {1: "2.59M", 2: "2.16M", 8: "1.84M", 16: "1.78M"}.items():
        rows.append(
            ("ResNet-164, bottleneck", f"DIA, r={reduction}", count, deep, AttentionConfig(reduction=reduction))
        )
    for cells, count in {2: "2.64M", 3: "3.33M", 4: "4.02M"}.items():
        rows.append(("ResNet-164, bottleneck", f"DIA, {cells} cells", count, deep, AttentionConfig(cells=cells)))
    depths = {83: ("0.893M", "0.994M", "1.112M"), 245: ("2.562M", "2.865M", "2.781M")}
    depths[407] = ("4.231M", "4.736M", "4.450M")
    for depth, counts in depths.items():
        for arm, count in zip(ARMS, counts, strict=True):
            rows.append((f"ResNet-{depth}, bottleneck", arm, count, {"depth": depth, "block": "bottleneck"}, ARMS[arm]))
    found = []
    for name, arm, count, shape, attention in rows:
        source = BY_HAND if attention == SENET else OFFICIAL
        found.append(Published(name, arm, 100, count, source, ModelConfig(**shape, attention=attention)))
    return found


def _torchvision() -> list[Published]:
    rows = [
        ("ResNet-34", "resnet34", 20, "21,973,764"),
        ("ResNet-50", "resnet50", 20, "28,358,052"),
        ("ResNet-152", "resnet152", 10, "65,771,812"),
        ("ResNeXt-50, 32x4d", "resnext50_32x4d", 20, "27,829,924"),
    ]
    return [
        Published(name, f"DIA, r={r}", 1000, count, TORCHVISION, (function, AttentionConfig(reduction=r)))
        for name, function, r, count in rows
    ]


PUBLISHED: list[Published] = [*_pytorchcv(), *_official(), *_torchvision()]


def compare_counts(rows: Sequence[Published] = tuple(PUBLISHED)) -> pd.DataFrame:
    """One row a network: its parameters here, those of its attention units, and the known number.

    A number in millions is compared to its digits.
    """
    found = []
    for row in rows:
        model = _built(row)
        ours = count_parameters(model)
        digits = len(row.parameters.partition(".")[2]) - 1
        shown = f"{ours / 1e6:.{digits}f}M" if row.parameters.endswith("M") else f"{ours:,}"
        names = {"network": row.network, "classes": row.classes, "arm": row.arm, "this lab": ours}
        verdict = {
            "elsewhere": row.parameters,
            "source": row.source,
            "equal": "yes" if shown == row.parameters else "NO",
        }
        found.append(names | verdict | {"of the units": count_attention_parameters(model)})
    return pd.DataFrame(found)


def agreement_sentence(counts: pd.DataFrame) -> str:
    """How many rows of :func:`compare_counts` agree, and how exactly."""
    equal, rounded = counts["equal"] == "yes", counts["elsewhere"].str.endswith("M")
    exact, digits = (equal & ~rounded).sum(), (equal & rounded).sum()
    sentence = f"Of {len(counts)} known counts, {exact} agree to the last parameter and {digits} to the digits given"
    return f"{sentence}." if equal.all() else f"{sentence}; {(~equal).sum()} do NOT agree."


def _built(row: Published) -> torch.nn.Module:
    with torch.device("meta"):  # counted, never run
        if isinstance(row.model, ModelConfig):
            return assemble(row.model, 3, row.classes)
        function, attention = row.model
        return attach_attention(getattr(torchvision.models, function)(), attention)
