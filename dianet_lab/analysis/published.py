"""Parameter counts that others published, to hold ours against."""

import pandas as pd

from dianet_lab.config import AttentionConfig, ModelConfig
from dianet_lab.models import build_model, count_attention_parameters, count_parameters

_PLAIN = AttentionConfig(unit="none")
_SENET = AttentionConfig(unit="se", sharing="none", reduction=16)
_DIANET = AttentionConfig()

PUBLISHED: list[tuple[str, int, str, int, AttentionConfig, int, str]] = [
    ("plain", 20, "basic", 10, _PLAIN, 272_474, "pytorchcv"),
    ("SE per block", 20, "basic", 10, _SENET, 274_847, "pytorchcv"),
    ("DIA", 20, "basic", 10, _DIANET, 286_866, "pytorchcv"),
    ("plain", 110, "basic", 100, _PLAIN, 1_736_564, "pytorchcv"),
    ("SE per block", 110, "basic", 100, _SENET, 1_750_802, "pytorchcv"),
    ("DIA", 110, "basic", 100, _DIANET, 1_750_956, "pytorchcv"),
    ("plain", 164, "bottleneck", 100, _PLAIN, 1_727_284, "pytorchcv"),
    ("SE per block", 164, "bottleneck", 100, _SENET, 1_929_388, "pytorchcv"),
    ("DIA", 164, "bottleneck", 100, _DIANET, 1_946_132, "pytorchcv"),
]
"""Arm, depth, block, classes, attention, parameters, and who says so: the ``gluon/README.md`` of pytorchcv's repository
(osmr/imgclsmob), counted there from an implementation of its own."""


def compare_counts() -> pd.DataFrame:
    """One row a network: its parameters here, those of its attention units, and the published number."""
    rows = []
    for arm, depth, block, classes, attention, published, source in PUBLISHED:
        model = build_model(ModelConfig(depth=depth, block=block, attention=attention), num_classes=classes)
        ours = count_parameters(model)
        row = {"network": f"ResNet-{depth}, {block}", "classes": classes, "arm": arm, "this lab": ours}
        row |= {source: published, "equal": "yes" if ours == published else "NO"}
        rows.append(row | {"of the units": count_attention_parameters(model)})
    return pd.DataFrame(rows)
