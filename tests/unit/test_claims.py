"""A claim: held by one process, given up by a dead one, and taken over by one and only one other."""

import json
import multiprocessing
import os
import time
from collections import Counter
from dataclasses import asdict, replace

import pytest

from dianet_lab.studies import claims
from dianet_lab.studies.claims import Claim, ClaimLost, Holder, Watch, newest, try_claim

RUN = "resnet14-lstm-s0-0123456789abcdef"


def leave(root, generation=1, **changes):
    """A claim as another process has left it."""
    path = root / claims.FOLDER / f"{RUN}.{generation}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asdict(replace(Holder.this(), **changes))))
    return path


def a_dead_process():
    process = multiprocessing.get_context("spawn").Process(target=int)
    process.start()
    process.join()
    return process.pid


class TestAClaim:
    def test_is_held_by_one_and_given_back(self, tmp_path):
        with try_claim(tmp_path, RUN, Watch()) as claim:
            assert isinstance(claim, Claim) and claim.held
            other = try_claim(tmp_path, RUN, Watch())
            assert isinstance(other, Holder) and other.pid == os.getpid() and f"process {os.getpid()} on" in str(other)
        assert newest(tmp_path, RUN) is None
        with try_claim(tmp_path, RUN, Watch()) as again:
            assert again.held

    def test_of_another_run_is_another(self, tmp_path):
        with try_claim(tmp_path, RUN, Watch()), try_claim(tmp_path, RUN[:-1] + "0", Watch()) as other:
            assert isinstance(other, Claim)

    def test_is_given_back_after_an_error(self, tmp_path):
        with pytest.raises(ZeroDivisionError), try_claim(tmp_path, RUN, Watch()):
            raise ZeroDivisionError
        assert newest(tmp_path, RUN) is None

    def test_has_a_heartbeat(self, tmp_path, monkeypatch):
        monkeypatch.setattr(claims, "BEAT_EVERY", 0.01)
        with try_claim(tmp_path, RUN, Watch()):
            first, until = newest(tmp_path, RUN).beat, time.monotonic() + 10
            while newest(tmp_path, RUN).beat == first and time.monotonic() < until:
                time.sleep(0.01)
            assert newest(tmp_path, RUN).beat > first


class TestADeadClaim:
    def test_of_a_process_of_this_machine_is_taken_over_at_once(self, tmp_path):
        old = leave(tmp_path, pid=a_dead_process())
        with try_claim(tmp_path, RUN, Watch()) as claim:
            assert claim.path.name.endswith(".2") and claim.held and not old.exists()

    def test_is_told_from_a_living_process_that_has_got_its_number(self, tmp_path):
        leave(tmp_path, started="1")
        assert isinstance(try_claim(tmp_path, RUN, Watch()), Claim)

    @pytest.mark.parametrize("left", [{"place": "elsewhere"}, None], ids=["another machine", "half-written"])
    def test_of_unknown_fate_is_taken_over_when_its_heartbeat_stands_still(self, tmp_path, monkeypatch, left):
        path = leave(tmp_path, **(left or {}))
        if left is None:
            path.write_text("")
        watch, moment = Watch(), time.monotonic()
        monkeypatch.setattr(claims.time, "monotonic", lambda: moment)
        assert isinstance(try_claim(tmp_path, RUN, watch), Holder)
        moment += claims.STALE_AFTER - 1
        assert isinstance(try_claim(tmp_path, RUN, watch), Holder)
        os.utime(path)  # it beats
        assert isinstance(try_claim(tmp_path, RUN, watch), Holder)
        moment += claims.STALE_AFTER - 1
        assert isinstance(try_claim(tmp_path, RUN, watch), Holder)
        moment += 1
        assert isinstance(try_claim(tmp_path, RUN, watch), Claim)

    @pytest.mark.parametrize(("place", "soon"), [("elsewhere", True), (Holder.this().place, False)])
    def test_of_another_machine_is_watched_for_two_beats_only_if_it_is_hours_old(
        self, tmp_path, monkeypatch, place, soon
    ):
        """Of this machine, a process that lives may have slept with it."""
        path = leave(tmp_path, place=place)
        os.utime(path, (time.time() - 7200, time.time() - 7200))
        watch, moment = Watch(), time.monotonic()
        monkeypatch.setattr(claims.time, "monotonic", lambda: moment)
        assert isinstance(try_claim(tmp_path, RUN, watch), Holder)
        moment += 2 * claims.BEAT_EVERY
        assert isinstance(try_claim(tmp_path, RUN, watch), Claim if soon else Holder)

    def test_whose_process_comes_back_is_lost_to_it(self, tmp_path, monkeypatch):
        monkeypatch.setattr(claims, "BEAT_EVERY", 0.01)
        told = []
        with try_claim(tmp_path, RUN, Watch(), lambda: told.append(1)) as slow:
            slow.check()
            newer = leave(tmp_path, generation=2, place="elsewhere")
            with pytest.raises(ClaimLost, match="stood still for too long"):
                slow.check()
            until = time.monotonic() + 10
            while not told and time.monotonic() < until:
                time.sleep(0.01)
        assert told and newer.exists()

    def test_that_was_judged_dead_and_is_alive_again_is_left_alone(self, tmp_path, monkeypatch):
        """Between the look and the new claim it was cleared away, and its number taken by a living process."""
        path = leave(tmp_path, pid=a_dead_process())
        create = claims._create

        def meanwhile(new, holder):
            path.write_text(json.dumps(asdict(Holder.this())))
            create(new, holder)

        monkeypatch.setattr(claims, "_create", meanwhile)
        assert isinstance(try_claim(tmp_path, RUN, Watch()), Holder)
        assert newest(tmp_path, RUN).generation == 1


def _compete(root, barrier, results, rounds):
    watch = Watch()
    barrier.wait()
    won = [number for number in range(rounds) if isinstance(try_claim(root, f"{RUN}{number}", watch), Claim)]
    results.put(won)
    barrier.wait()  # a process that ends lets the others have its claims


@pytest.mark.heavy
@pytest.mark.parametrize("left_behind", [False, True], ids=["free", "of a dead process"])
def test_of_eight_processes_that_want_a_run_one_gets_it(tmp_path, left_behind):
    context, rounds = multiprocessing.get_context("fork"), 100
    if left_behind:
        dead = a_dead_process()
        for number in range(rounds):
            leave(tmp_path, pid=dead).rename(tmp_path / claims.FOLDER / f"{RUN}{number}.1")
    barrier, results = context.Barrier(8), context.Queue()
    processes = [context.Process(target=_compete, args=(tmp_path, barrier, results, rounds)) for _ in range(8)]
    for process in processes:
        process.start()
    won = Counter(number for _ in processes for number in results.get(timeout=60))
    for process in processes:
        process.join()
    # Two that come at the same moment may both withdraw; in a study the next look decides.
    assert max(won.values()) == 1 and len(won) > rounds / 2
