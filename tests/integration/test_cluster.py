"""A cluster: the same runs as here, whatever becomes of its workers, and messages for what can go wrong."""

import threading
from pathlib import Path

import pytest

from dianet_lab.errors import LabError
from dianet_lab.studies import cluster as clusters
from dianet_lab.studies import execute
from dianet_lab.studies.cluster import Cluster
from dianet_lab.studies.execute import run_study
from dianet_lab.studies.progress import Lines
from dianet_lab.studies.state import run_states
from dianet_lab.studies.store import RunStore
from dianet_lab.studies.study import Study
from dianet_lab.studies.upkeep import StoreError
from dianet_lab.training.stop import Interrupted, Stop
from tests.reliability.tiny import leftovers, tiny, wait_until
from tests.reliability.workers import local_cluster, lose_a_worker


@pytest.mark.heavy
def test_that_loses_a_worker_in_mid_run_gives_what_one_process_gives(tmp_path):
    outcome = lose_a_worker(tmp_path, epochs=50)
    assert outcome.identical == outcome.runs == 4 and outcome.resumed >= 1 and not outcome.left


@pytest.fixture(scope="module")
def cluster():
    with local_cluster(1) as made:
        yield made


class Watcher(Lines):
    """A reporter that calls ``then`` when the run has come to its fifth epoch."""

    def __init__(self, then):
        self.then = then

    def epoch(self, run_id, done):
        super().epoch(run_id, done)
        if done >= 5 and self.then:
            threading.Thread(target=self.then).start()
            self.then = None


@pytest.mark.heavy
class TestACluster:
    def test_saves_and_ends_its_runs_when_its_client_is_stopped(self, cluster, tmp_path, monkeypatch):
        store, stop = RunStore(tmp_path / "runs"), Stop()
        monkeypatch.setattr(execute, "Stop", lambda: stop)
        study = Study("s", tiny(500), arms={"DIA": {}}, seeds=range(2))
        watcher = Watcher(lambda: stop.request("a test"))
        with pytest.raises(Interrupted, match="a test"):
            run_study(study, store, cluster=cluster.scheduler_address, progress=watcher)
        states = list(run_states(store.root))
        assert states[0].status == "interrupted" and "stopped by its client after epoch" in states[0].note
        assert not leftovers(store)

    def test_whose_worker_is_closed_by_its_job_saves_first_and_goes_on_elsewhere(self, cluster, tmp_path):
        store, study, notes = RunStore(tmp_path / "runs"), Study("s", tiny(300), arms={"DIA": {}}, seeds=[0]), []

        def end_the_job():
            cluster.scale(0)
            wait_until(lambda: any(state.status == "interrupted" for state in run_states(store.root)))
            notes.extend(state.note for state in run_states(store.root))
            cluster.scale(1)

        options = {"cluster": cluster.scheduler_address, "checkpoint_every": 3600}
        frame = run_study(study, store, **options, progress=Watcher(end_the_job))
        assert "stopped by the end of its worker after epoch" in notes[0]
        assert list(frame.status) == ["finished"] and frame.resumed_at[0] >= 5

    def test_may_be_used_by_two_studies_that_do_not_stop_each_other(self, cluster, tmp_path):
        def another_client():
            Cluster(cluster.scheduler_address, RunStore(tmp_path / "other"), Stop(), print).close()

        store, study = RunStore(tmp_path / "runs"), Study("s", tiny(200), arms={"DIA": {}}, seeds=[0])
        frame = run_study(study, store, cluster=cluster.scheduler_address, progress=Watcher(another_client))
        assert list(frame.status) == ["finished"] and frame.resumed_at[0] == 0
        assert "earlier_parts" not in store.manifest(frame.run_id[0])["provenance"]

    def test_that_does_not_see_the_store_is_told(self, cluster, tmp_path, monkeypatch):
        monkeypatch.setattr(Path, "touch", lambda path: None)
        study = Study("s", tiny(), arms={"DIA": {}}, seeds=[0])
        with pytest.raises(StoreError, match="does not see the store .*: all workers need it under the same path"):
            run_study(study, RunStore(tmp_path / "runs"), cluster=cluster.scheduler_address)

    def test_of_other_versions_is_remarked_once(self, cluster, tmp_path, monkeypatch, capsys):
        monkeypatch.setattr(clusters, "_versions", lambda: ("0.0.1", "2.0"))
        study = Study("s", tiny(), arms={"DIA": {}}, seeds=range(3))
        frame = run_study(study, RunStore(tmp_path / "runs"), cluster=cluster.scheduler_address)
        assert set(frame.status) == {"finished"}
        assert capsys.readouterr().out.count("but here it is dianet-lab 0.0.1 with torch 2.0") == 1


class TestAnAddress:
    def test_at_which_nobody_answers_is_explained(self, tmp_path, monkeypatch):
        monkeypatch.setattr(clusters, "CONNECT_WITHIN", "0.2s")
        with pytest.raises(LabError, match="no Dask scheduler answers at tcp://127.0.0.1:9 .*start: dask scheduler"):
            Cluster("tcp://127.0.0.1:9", RunStore(tmp_path), Stop(), print)

    def test_that_is_none_is_explained(self, tmp_path):
        with pytest.raises(LabError, match="got 'nowhere.json', expected tcp://HOST:8786 or the file of a scheduler"):
            Cluster("nowhere.json", RunStore(tmp_path), Stop(), print)
