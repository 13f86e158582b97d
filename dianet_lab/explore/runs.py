"""The stored runs that can be looked into, in words."""

from collections import Counter

from dianet_lab.backbones.registry import BACKBONES
from dianet_lab.config import AttentionConfig, RunConfig
from dianet_lab.errors import LabError
from dianet_lab.studies.catalog.arms import ARMS
from dianet_lab.studies.manifest import IMPORTED, WEIGHTS
from dianet_lab.studies.state import finished_ids
from dianet_lab.studies.store import RunStore

_ATTENTION = "model.attention."


def stored_runs(store: RunStore) -> dict[str, str]:
    """Title -> id of every stored run with weights and attention, sorted by title; damaged ones are left out.

    Two runs of one title, which differ in their training, have the end of their id behind it.
    """
    titles: dict[str, str] = {}
    for run_id in finished_ids(store.root):
        try:
            manifest, config = store.manifest(run_id), store.config(run_id)
        except LabError:  # `dianet-lab runs verify` tells what is wrong with it
            continue
        kept = WEIGHTS in manifest["files"] and manifest["status"] != "diverged"
        if kept and config.model.attention.unit != "none":
            titles[run_id] = run_title(run_id, config)
    times = Counter(titles.values())
    named = {run_id: title if times[title] == 1 else f"{title} ({run_id[-4:]})" for run_id, title in titles.items()}
    return {title: run_id for run_id, title in sorted(named.items(), key=lambda pair: pair[1])}


def run_title(run_id: str, config: RunConfig) -> str:
    """``ResNet-56, DIA, digits, seed 0``; of an imported run its name in place of the seed."""
    network = f"{BACKBONES[config.model.backbone].title}-{config.model.depth}"
    last = run_id if run_id.startswith(IMPORTED) else f"seed {config.seed}"
    return f"{network}, {attention_words(config.model.attention)}, {config.data.source}, {last}"


def attention_words(attention: AttentionConfig) -> str:
    """The lab's name of the arm with this attention, such as ``SE per block``; else its unit and who owns it."""
    known = (arm for arm, changes in ARMS.items() if _attention_of(changes) == attention)
    return next(known, None) or f"{attention.unit}, {_owners(attention)}"


def _owners(attention: AttentionConfig) -> str:
    words = {"stage": "shared", "none": "per block"}
    return words.get(attention.sharing) or f"groups of {attention.sharing}"


def _attention_of(changes) -> AttentionConfig | None:
    """None where an arm changes more than its attention."""
    if not all(name.startswith(_ATTENTION) for name in changes):
        return None
    return AttentionConfig(**{name.removeprefix(_ATTENTION): value for name, value in changes.items()})
