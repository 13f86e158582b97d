"""What the explorer shows: one choice of every control."""

from dataclasses import dataclass

from dianet_lab.analysis.gates import UNTRAINED
from dianet_lab.analysis.subject import SHUFFLED
from dianet_lab.errors import ConfigError, unknown_name

TRAINING_MEAN, QUARTER, ANOTHER, RESET = "training mean", "0.25", "another image's gate", "state reset"
KINDS = {
    TRAINING_MEAN: "a block's gate becomes its mean over training images",
    QUARTER: "a block's gate becomes 0.25 in every channel, where a DIA-LSTM starts",
    ANOTHER: "a block's gate becomes the one that it gives to another image",
    RESET: "the state that a block hands on becomes zero",
}
"""Intervention -> what is in place when it is complete."""

THIS = "this run"
VIEWS = (THIS, UNTRAINED, SHUFFLED)
"""The network, and its controls: itself before training, and itself shown images without a shape."""


@dataclass(frozen=True)
class State:
    """One choice of every control.

    Args:
        run: a stored run's id, or a network of the user's own as ``FILE.py:FUNCTION``.
        image: the position of a test image.
        stage, block: 0-based; None for the last stage, and for the middle one of its blocks that have a gate.
        kind: the intervention at that block, one of :data:`KINDS`.
        amount: how far it goes, from 0 (nothing) to 1 (all the way).
        other: the image that lends its gate; None for the first of another class.
        view: what is looked at, one of :data:`VIEWS`.

    Raises:
        ConfigError: an unknown name, or an amount outside 0 to 1.
    """

    run: str
    image: int = 0
    stage: int | None = None
    block: int | None = None
    kind: str = TRAINING_MEAN
    amount: float = 1.0
    other: int | None = None
    view: str = THIS

    def __post_init__(self):
        if self.kind not in KINDS:
            raise unknown_name("intervention", self.kind, KINDS)
        if self.view not in VIEWS:
            raise unknown_name("view", self.view, VIEWS)
        if not 0 <= self.amount <= 1:
            raise ConfigError(f"amount: got {self.amount}, expected 0 (nothing) to 1 (all the way)")
