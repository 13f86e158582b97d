"""How good a network is on one part of the data."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dianet_lab.data.batches import evaluation_batches
from dianet_lab.data.images import ImageData

BATCH = 250


@dataclass
class Evaluation:
    """Mean cross-entropy, accuracy (0 to 1) and the class probabilities ``[image, class]`` of one part of the data."""

    loss: float
    accuracy: float
    probabilities: Tensor


@torch.no_grad()
def evaluate(
    model: nn.Module, data: ImageData, device: torch.device, pause: Callable[[], None] = lambda: None
) -> Evaluation:
    """Loss, accuracy and probabilities on ``data``, in eval mode and without augmentation.

    Args:
        pause: called after each batch; what it raises ends the evaluation.
    """
    model.eval()
    logits, labels = [], []
    for batch, label in evaluation_batches(data, BATCH, device=device):
        logits.append(model(batch).float())
        labels.append(label)
        pause()
    logits, labels = torch.cat(logits), torch.cat(labels)
    loss = nn.functional.cross_entropy(logits, labels).item()
    # In double precision: equal counts must give equal accuracies, and ties equal differences.
    accuracy = (logits.argmax(1) == labels).sum().item() / len(labels)
    return Evaluation(loss, accuracy, logits.softmax(1).cpu())
