"""The attention units by name. A new unit is one class and one line here; tests and configurations find it."""

from dianet_lab.attention.lstm import DIALSTM
from dianet_lab.attention.unit import ChannelUnit
from dianet_lab.attention.units import SqueezeExcitation
from dianet_lab.errors import unknown_name

NO_UNIT = "none"
"""The name of the plain backbone: no gate at all."""

UNITS: dict[str, type[ChannelUnit]] = {
    "lstm": DIALSTM,
    "se": SqueezeExcitation,
}


def unit_class(name: str) -> type[ChannelUnit]:
    """The class behind a name.

    Raises:
        ConfigError: an unknown name, with the valid ones and the closest.
    """
    if name not in UNITS:
        raise unknown_name("attention unit", name, [*UNITS, NO_UNIT])
    return UNITS[name]


def unit_options(name: str) -> tuple[str, ...]:
    """The fields of ``AttentionConfig`` that a unit reads; nothing for ``none``."""
    return () if name == NO_UNIT else unit_class(name).options
