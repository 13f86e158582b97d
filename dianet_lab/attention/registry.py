"""The attention units by name. A new unit is one class and one line here; tests and configurations find it."""

from dianet_lab.attention.cbam import CBAM
from dianet_lab.attention.controls import Constant, Random, Scalar, Static
from dianet_lab.attention.lstm import DIALSTM
from dianet_lab.attention.recurrent import GRU, RNN
from dianet_lab.attention.unit import AttentionUnit
from dianet_lab.attention.units import EfficientChannelAttention, InstanceEnhancement, SqueezeExcitation
from dianet_lab.errors import unknown_name

NO_UNIT = "none"
"""The name of the plain backbone: no gate at all."""

STAGE_OPTIONS = ("sharing", "share_from", "tied_init")
"""The fields of ``AttentionConfig`` about who owns a unit; they are read for every unit."""

UNITS: dict[str, type[AttentionUnit]] = {
    "lstm": DIALSTM,
    "gru": GRU,
    "rnn": RNN,
    "se": SqueezeExcitation,
    "eca": EfficientChannelAttention,
    "cbam": CBAM,
    "ie": InstanceEnhancement,
    "constant": Constant,
    "scalar": Scalar,
    "static": Static,
    "random": Random,
}


def list_units() -> list[str]:
    """The names of all units, with ``none`` for the plain backbone."""
    return [*UNITS, NO_UNIT]


def unit_class(name: str) -> type[AttentionUnit]:
    """The class behind a name.

    Raises:
        ConfigError: an unknown name, with the valid ones and the closest.
    """
    if name not in UNITS:
        raise unknown_name("attention unit", name, list_units())
    return UNITS[name]


def unit_options(name: str) -> tuple[str, ...]:
    """The fields of ``AttentionConfig`` that are read for a unit; nothing for ``none``."""
    return () if name == NO_UNIT else STAGE_OPTIONS + unit_class(name).options
