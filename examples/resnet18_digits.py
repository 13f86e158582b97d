"""A network of one's own for the notebooks 10 to 15: torchvision's ResNet-18 with one shared DIA-LSTM a stage.

    dianet-lab report 10 12 15 -p run=examples/resnet18_digits.py:network

A real one would load its weights from a file; this one is trained here, in some seconds, on the digits.
"""

from torch import Tensor, nn

from dianet_lab import AttentionConfig, attach_attention
from dianet_lab.config import DataConfig
from dianet_lab.data.sources import load_data
from dianet_lab.training.fine_tune import fine_tune, torchvision_resnet

SIZE, STEPS = 32, 60


class Enlarged(nn.Module):
    """Grey digits of 8x8 as the colour images that a network of torchvision expects."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        larger = nn.functional.interpolate(images, size=(SIZE, SIZE), mode="bilinear", antialias=True)
        return self.network(larger.expand(-1, 3, -1, -1))


def network(trained: bool) -> nn.Module:
    """ResNet-18 with attention, before or after 60 updates on all training digits."""
    model = torchvision_resnet("resnet18", None, classes=10, seed=0)
    attach_attention(model, AttentionConfig(reduction=4))
    if trained:
        digits = load_data(DataConfig(val_size=0), seed=0).train
        fine_tune(model, digits, steps=STEPS, size=SIZE, lr=0.02)
    return Enlarged(model)
