"""The pool and its rivals: what is killed, stopped, full or wanted twice costs little, and changes no result."""

import multiprocessing
import os
import resource
import signal

import pytest

from dianet_lab.errors import LabError
from dianet_lab.studies import estimate, execute, pool, work
from dianet_lab.studies.execute import run_study
from dianet_lab.studies.state import run_states
from dianet_lab.studies.store import RunStore
from dianet_lab.studies.study import Study
from dianet_lab.studies.upkeep import StoreError
from dianet_lab.studies.work import Order, carry_out
from dianet_lab.training.stop import Interrupted, Stop, stop_at_signals
from tests.reliability.tiny import bits, in_process, kill, leftovers, tiny, unbroken, wait_until

TIMES = ["seconds", "resumed_at"]


def a_study(epochs: int = 2, seeds: int = 2) -> Study:
    return Study("s", tiny(epochs), arms={"DIA": {}, "plain": PLAIN}, seeds=range(seeds), keep_weights=True)


PLAIN = {"model.attention.unit": "none", "model.attention.cells": 1}


@pytest.fixture
def forked(monkeypatch):
    """Workers that inherit what a test has changed, and a pool that is used for any study, however short."""
    monkeypatch.setattr(pool, "warm_up", lambda: multiprocessing.get_context("fork"))
    monkeypatch.setattr(execute, "warm_up", lambda: None)
    monkeypatch.setattr(estimate, "WORTH_A_POOL", 0)


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """Run id -> the bits of the undisturbed runs of the longest study."""
    root = tmp_path_factory.mktemp("unbroken")
    return {config.run_id: unbroken(config, root) for _, config in a_study(12, 2).configs()}


def all_bits(store):
    return {run_id: bits(store, run_id) for run_id in store}


def study_in_process(root, epochs, seeds, workers, log=None):
    """In a process: a study in a pool, as the command line runs it; the log gets the ids of runs trained right here."""
    estimate.WORTH_A_POOL, train = 0, work.train

    def logging_train(config, *args, **options):
        if log:
            with log.open("a") as stream:
                stream.write(f"{config.run_id}\n")
        return train(config, *args, **options)

    work.train = logging_train
    run_study(a_study(epochs, seeds), RunStore(root), workers=workers, device="cpu", checkpoint_every=0)


def running(store):
    return [state for state in run_states(store.root) if state.status == "running"]


def children(process):
    import psutil

    return [child for child in psutil.Process(process.pid).children(recursive=True) if child.is_running()]


def by_any_order(frame):
    return frame.drop(columns=TIMES).sort_values("run_id").to_csv(index=False)


class TestTheOrder:
    @pytest.mark.heavy
    def test_of_runs_and_the_number_of_workers_change_no_byte_of_the_table(self, tmp_path, forked):
        study = a_study()
        backwards = Study("s", study.base, arms=dict(reversed(study.arms.items())), seeds=[1, 0], baseline="DIA")
        tables = {
            by_any_order(run_study(each, RunStore(tmp_path / str(number)), workers=workers, device="cpu"))
            for number, (each, workers) in enumerate(
                [(study, 1), (study, 2), (study, 4), (backwards, 1), (backwards, 2)]
            )
        }
        assert len(tables) == 1


class TestAWorker:
    @pytest.mark.heavy
    def test_that_is_killed_costs_only_what_came_after_its_checkpoint(
        self, tmp_path, expected, forked, monkeypatch, capsys
    ):
        train, log = work.train, tmp_path / "log"

        def dies_once(config, *args, **options):
            if config.seed == 1 and not log.exists():

                def on_epoch(row):
                    if row["epoch"] == 6:
                        log.write_text("killed")
                        os.kill(os.getpid(), signal.SIGKILL)

                options["on_epoch"] = on_epoch
            return train(config, *args, **options)

        monkeypatch.setattr(work, "train", dies_once)
        store = RunStore(tmp_path / "runs")
        frame = run_study(a_study(12), store, workers=2, device="cpu", checkpoint_every=0)
        assert log.exists() and set(frame.status) == {"finished"} and all_bits(store) == expected
        assert (
            sorted(frame.resumed_at)[-1] == 5
            and "ended by SIGKILL, perhaps for want of memory" in capsys.readouterr().out
        )

    @pytest.mark.heavy
    def test_that_dies_of_the_same_run_again_and_again_gives_it_up(self, tmp_path, forked, monkeypatch, capsys):
        train = work.train

        def deadly(config, *args, **options):
            if config.model.attention.unit == "none" and config.seed == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return train(config, *args, **options)

        monkeypatch.setattr(work, "train", deadly)
        store = RunStore(tmp_path / "runs")
        frame = run_study(a_study(), store, workers=2, device="cpu")
        assert list(frame.status) == ["finished", "failed", "finished", "finished"]
        out = capsys.readouterr().out
        assert "plain, seed 0 failed: its process was ended by SIGKILL" in out and "(3 attempts)" in out
        assert store.state(frame.run_id.iloc[1]).status == "failed"

    def test_that_can_not_even_start_ends_the_study_with_a_message(self, tmp_path, forked, monkeypatch):
        monkeypatch.setattr(pool, "_work", lambda pipe, device: os._exit(7))
        with pytest.raises(LabError, match="before they get to work: the last one was ended with exit code 7"):
            run_study(a_study(), RunStore(tmp_path / "runs"), workers=2, device="cpu")

    @pytest.mark.heavy
    def test_ends_with_its_parent_and_saves_first(self, tmp_path):
        store = RunStore(tmp_path / "runs")
        process = in_process(study_in_process, store.root, 5000, 1, 2, daemon=False)
        wait_until(lambda: len(running(store)) == 2)
        workers = children(process)
        kill(process)
        wait_until(lambda: not any(worker.is_running() and worker.status() != "zombie" for worker in workers))
        assert {state.status for state in run_states(store.root)} == {"interrupted"}
        assert all("stopped by the end of its parent after epoch" in state.note for state in run_states(store.root))


class TestAStop:
    @pytest.mark.heavy
    @pytest.mark.parametrize("workers", [1, 2])
    def test_saves_what_is_under_way_ends_as_usual_and_goes_on_to_the_same_bits(self, tmp_path, expected, workers):
        store = RunStore(tmp_path / "runs")
        process = in_process(study_in_process, store.root, 12, 2, workers, daemon=False)
        wait_until(lambda: len(running(store)) == workers)
        os.kill(process.pid, signal.SIGTERM)
        process.join()
        states = list(run_states(store.root))
        assert process.exitcode == -signal.SIGTERM and not leftovers(store)
        stopped = [state for state in states if state.status == "interrupted"]
        assert stopped and all(state.note.startswith("stopped by SIGTERM") for state in stopped)
        assert set(run_study(a_study(12), store, workers=1).status) == {"finished"} and all_bits(store) == expected

    def test_by_ctrl_c_is_a_keyboard_interrupt_after_the_run_was_saved(self, tmp_path, monkeypatch):
        store, config = RunStore(tmp_path / "runs"), tiny(50)
        study = Study("s", config, arms={"DIA": {}}, seeds=[0])
        train = work.train

        def interrupted(*args, **options):
            options["on_epoch"] = lambda row: os.kill(os.getpid(), signal.SIGINT) if row["epoch"] == 3 else None
            return train(*args, **options)

        monkeypatch.setattr(work, "train", interrupted)
        before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
        try:
            with pytest.raises(KeyboardInterrupt):
                run_study(study, store, workers=1)
            assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        finally:
            signal.signal(signal.SIGINT, before)
        assert store.state(config.run_id).note.startswith("stopped by SIGINT after epoch 3")

    def test_by_a_signal_that_is_ignored_is_none(self):
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            with stop_at_signals(stop := Stop()):
                os.kill(os.getpid(), signal.SIGINT)
                assert stop.reason is None
        finally:
            signal.signal(signal.SIGINT, before)

    def test_by_a_signal_with_a_handler_of_its_own_still_ends_the_work(self):
        heard = []
        before = signal.signal(signal.SIGTERM, lambda *_: heard.append("TERM"))
        try:
            with pytest.raises(Interrupted), stop_at_signals(stop := Stop()):
                os.kill(os.getpid(), signal.SIGTERM)
                stop.check()
            assert heard == ["TERM"]
        finally:
            signal.signal(signal.SIGTERM, before)


class TestTwoThatWantTheSame:
    @pytest.mark.heavy
    def test_study_share_the_work_and_get_the_same(self, tmp_path, expected):
        store = RunStore(tmp_path / "runs")
        log = tmp_path / "log"
        processes = [in_process(study_in_process, store.root, 12, 2, 1, log) for _ in range(2)]
        for process in processes:
            process.join()
        assert [process.exitcode for process in processes] == [0, 0]
        assert all_bits(store) == expected and not leftovers(store)
        assert sorted(log.read_text().split()) == sorted(expected)

    def test_run_one_trains_and_the_other_waits_and_reads(self, tmp_path):
        store, config = RunStore(tmp_path / "runs"), tiny(30)
        order = Order.here(config, store, patience=60.0)
        process = in_process(carry_out, order, "cpu")
        wait_until(lambda: running(store))
        assert carry_out(Order.here(config, store), "cpu").status == "busy"
        record = carry_out(order, "cpu")
        process.join()
        assert record.status == "finished" and not record.trained


class TestAStoreThatCanNotBeWritten:
    def test_ends_the_study_at_once_and_nothing_half_written_counts(self, tmp_path, monkeypatch):
        def full(path, content):
            raise OSError(28, "No space left on device", str(path))

        store = RunStore(tmp_path / "runs")
        with monkeypatch.context() as patch:
            patch.setattr("dianet_lab.studies.store.write_atomically", full)
            with pytest.raises(StoreError, match="can't be used: No space left on device .*config.json.*make room"):
                run_study(a_study(), store, workers=1)
        assert not list(store) and not leftovers(store)
        assert set(run_study(a_study(), store, workers=1).status) == {"finished"}

    @pytest.mark.heavy
    def test_because_files_may_not_grow_is_told_by_the_system_itself(self, tmp_path):
        store = RunStore(tmp_path / "runs")
        process = in_process(limited, store.root)
        process.join()
        assert process.exitcode == 0 and not list(store) and not leftovers(store)
        assert store.state(tiny().run_id).status in ("interrupted", "pending")

    def test_at_all_is_told_before_anything_is_trained(self, tmp_path, monkeypatch):
        (tmp_path / "file").write_text("")
        monkeypatch.setattr(work, "train", lambda *args, **options: pytest.fail("trained for nothing"))
        with pytest.raises(StoreError, match="Not a directory|File exists"):
            run_study(a_study(), RunStore(tmp_path / "file" / "runs"), workers=1)


def limited(root):
    """In a process that may write no file of more than 10 kB: of the weights no more than that is written."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
    record = carry_out(Order.here(tiny(), RunStore(root), keep_weights=True), "cpu")
    assert record.status == "no store" and "File too large" in record.note, record


@pytest.mark.heavy
@pytest.mark.parametrize("start", ["forkserver", "spawn"])
def test_a_script_needs_no_main_guard(tmp_path, start):
    """The README's example is a plain script; its workers must not run it again."""
    import subprocess
    import sys

    script = tmp_path / "script.py"
    script.write_text(
        "from dianet_lab.studies import estimate, pool\n"
        "from dianet_lab.studies.execute import run_study\n"
        "from dianet_lab.studies.store import RunStore\n"
        "from dianet_lab.studies.study import Study\n"
        "from dianet_lab.config import RunConfig\n"
        f"estimate.WORTH_A_POOL, pool.START = 0, {start!r}\n"
        f"config = RunConfig.from_text({tiny(1).to_json()!r})\n"
        "study = Study('s', config, arms={'DIA': {}}, seeds=range(2))\n"
        f"frame = run_study(study, RunStore({str(tmp_path)!r}), workers=2)\n"
        "print('once', list(frame.status))\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and done.stdout.count("once ['finished', 'finished']") == 1, done.stderr
