"""The stored runs, opened once each."""

from dataclasses import replace
from functools import lru_cache

from dianet_lab.analysis.own_network import names_own
from dianet_lab.analysis.subject import Subject, of_own, of_run
from dianet_lab.explore.inside import Inside
from dianet_lab.explore.runs import attention_words, run_title, stored_runs
from dianet_lab.explore.seen import PLACES, Seen, complete, look_at
from dianet_lab.explore.state import UNTRAINED, VIEWS, State
from dianet_lab.studies.store import RunStore

OPEN = 6
"""Runs that stay open; the one that was looked at longest ago is closed first."""


class Explorer:
    """What the explorer's controls choose from, and the answer to a choice.

    Args:
        store: of the runs.
        data: images to show to ``own``, as a notebook's parameter names them; other runs are shown those of their kind.
        own: the run that ``data`` belongs to, also a network as ``FILE.py:FUNCTION``.
    """

    def __init__(self, store: RunStore, own: str | None = None, data: str | None = None):
        self.store, self.own, self.data = store, own, data
        self.titles = ({own: own} if own and names_own(own) else {}) | stored_runs(store)
        self.open = lru_cache(OPEN)(self._open)
        self.inside = lru_cache(OPEN * len(VIEWS))(self._inside)

    def _open(self, run: str) -> Subject:
        """A run with its controls; raises as :func:`~dianet_lab.analysis.subject.of_run`."""
        data = self.data if run == self.own else None
        return of_own(run, data) if names_own(run) else of_run(self.store, run, data)

    def _inside(self, run: str, view: str) -> Inside:
        subject = self.open(run)
        found = {seen.name: seen for seen in subject.views}[view]
        return Inside(found.model, found.images, subject.one().train)

    def complete(self, state: State) -> State:
        """A state with everything named, at the nearest place that its run has."""
        return complete(self.inside(state.run, state.view), state)

    def look(self, state: State) -> Seen:
        """What a state shows; what it leaves open is filled in."""
        inside = self.inside(state.run, state.view)
        given = {name: value for name in PLACES if (value := getattr(state, name)) is not None}
        return look_at(inside, replace(complete(inside, state), **given), *self._names(state))

    def _names(self, state: State) -> tuple[str, str]:
        """The title, and the arm whose colour it has."""
        if names_own(state.run):
            title, arm = state.run, state.run
        else:
            config = self.store.config(state.run)
            title, arm = run_title(state.run, config), attention_words(config.model.attention)
        return title, UNTRAINED if state.view == UNTRAINED else arm
