"""The explorer: pick a stored run, an image, a stage and a block, see what the gates do, and drag an intervention."""

from dianet_lab.explore.everywhere import FORMATS, by_arm, compared, everywhere, of_one_image, over_images
from dianet_lab.explore.explorer import Explorer
from dianet_lab.explore.picture import picture
from dianet_lab.explore.state import KINDS, VIEWS, State
from dianet_lab.explore.widgets import show

__all__ = [
    "FORMATS",
    "KINDS",
    "VIEWS",
    "Explorer",
    "State",
    "by_arm",
    "compared",
    "everywhere",
    "of_one_image",
    "over_images",
    "picture",
    "show",
]
