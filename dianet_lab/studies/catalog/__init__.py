"""The lab's studies by name: one file a question, written before its runs."""

from dianet_lab.studies.catalog.arms import ARMS, CORE, RELATIVE, STARTS, YARDSTICK
from dianet_lab.studies.catalog.scaling import STUDIES, customised, get_study, has_less, sisters, smaller

__all__ = [
    "ARMS",
    "CORE",
    "RELATIVE",
    "STARTS",
    "STUDIES",
    "YARDSTICK",
    "customised",
    "get_study",
    "has_less",
    "sisters",
    "smaller",
]
