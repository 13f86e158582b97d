"""Going on: wherever a run was stopped, what comes out is what the unbroken run gives, to the bit."""

import pandas as pd
import pytest
import torch

from dianet_lab.data.sources import load_data
from dianet_lab.errors import ConfigError
from dianet_lab.training import checkpoint as checkpoints
from dianet_lab.training.checkpoint import BadCheckpoint, Checkpoint
from dianet_lab.training.loop import train
from dianet_lab.training.stop import Interrupted, Stop

CPU = torch.device("cpu")
TIMES = ["seconds", "images_per_second"]


class StopAfter(Stop):
    """Stops at the n-th look: after a step, between batches of an evaluation, at the end of an epoch."""

    def __init__(self, looks: int):
        super().__init__()
        self.looks = looks

    def check(self):
        self.looks -= 1
        if self.looks < 0:
            raise Interrupted("a test")


def run(config, **options):
    return train(config, load_data(config.data, config.seed), device=CPU, **options)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "checkpoint.bin"


def bits(outcome):
    """Everything that must not depend on where a run was stopped."""
    weights = {name: value.tolist() for name, value in outcome.model.state_dict().items()}
    history = pd.DataFrame(outcome.history).drop(columns=TIMES).to_csv()
    return weights, history, outcome.test.probabilities.tolist(), outcome.train_accuracy


DROPOUT = {"model.attention.cells": 2}  # its generator's state is part of a position within an epoch
WIDE = {"model.backbone": "wide_resnet", "model.depth": 16, "model.dropout": 0.3, "model.widen": 1}


class TestARunThatWasStopped:
    @pytest.mark.parametrize(
        "changes",
        [DROPOUT, {"train.precision": "mixed"}, WIDE, {"train.eval_every": 2, "data.test_limit": 300}],
        ids=["dropout", "mixed", "wide", "evaluated twice"],
    )
    def test_anywhere_goes_on_to_the_same_bits(self, tiny, file, changes):
        config = tiny.override({"train.epochs": 3, "train.schedule": "cosine", "train.warmup_epochs": 1, **changes})
        unbroken, looks = bits(run(config)), 0
        while True:
            checkpoint = Checkpoint(file, config, every=3600)
            try:
                run(config, checkpoint=checkpoint, stop=StopAfter(looks))
            except Interrupted:
                assert bits(run(config, checkpoint=Checkpoint(file, config, every=3600))) == unbroken, looks
                looks += 1
                file.unlink()
            else:
                break
        assert looks >= 3 * 2 + 2  # two steps in each of three epochs, and evaluations

    def test_again_and_again_goes_on_to_the_same_bits(self, tiny, file):
        config = tiny.override({**DROPOUT, "train.epochs": 3})
        stops, continued = 0, None
        while continued is None and stops < 20:
            try:
                continued = run(config, checkpoint=Checkpoint(file, config, every=3600), stop=StopAfter(3))
            except Interrupted:
                stops += 1
        assert stops >= 3 and bits(continued) == bits(run(config))

    def test_says_at_which_epoch_it_went_on_and_counts_the_time_of_all_parts(self, tiny, file):
        checkpoint = Checkpoint(file, tiny, every=3600)
        with pytest.raises(Interrupted):
            run(tiny, checkpoint=checkpoint, stop=StopAfter(5))
        config, saved = checkpoints.read_checkpoint(file)
        saved["state"]["seconds"] = 100.0
        Checkpoint(file, config, 0).write(lambda: saved["state"])
        continued = run(tiny, checkpoint=Checkpoint(file, tiny, every=3600))
        assert continued.resumed_at == 1 and continued.seconds > 100

    def test_knows_where_and_with_what_its_parts_were_made(self, tiny, file):
        for number in range(2):
            with pytest.raises(Interrupted):
                run(tiny, checkpoint=Checkpoint(file, tiny, 3600, about={"part": number}), stop=StopAfter(1))
        last = Checkpoint(file, tiny, 3600)
        last.load()
        assert [part["part"] for part in last.earlier] == [0, 1]
        assert last.earlier[0]["until"] == "after epoch 0, step 2 of the next"


class TestACheckpoint:
    def test_is_written_at_the_first_epoch_end_after_its_time_and_within_epochs_after_twice_that(
        self, tiny, file, clock
    ):
        checkpoint = Checkpoint(file, tiny, every=30)
        due = []
        for seconds in (29, 30, 59, 60):
            clock.now = seconds
            due.append((checkpoint.due(within_epoch=False), checkpoint.due(within_epoch=True)))
        assert due == [(False, False), (True, False), (True, False), (True, True)]

    def test_becomes_rarer_where_it_takes_long(self, tiny, file, clock, monkeypatch):
        def slow(path, content):
            clock.now += 3

        monkeypatch.setattr(checkpoints, "write_atomically", slow)
        checkpoint = Checkpoint(file, tiny, every=30)
        checkpoint.write(lambda: {"epoch": 1, "step": 0})
        clock.now += 100
        assert not checkpoint.due(within_epoch=False)
        clock.now += 50
        assert checkpoint.due(within_epoch=False) and checkpoint.seconds == 3

    def test_that_can_not_be_written_is_a_warning_and_the_run_goes_on(self, tiny, file, monkeypatch, capsys):
        def full(path, content):
            raise OSError(28, "No space left on device", str(path))

        monkeypatch.setattr(checkpoints, "write_atomically", full)
        assert run(tiny, checkpoint=Checkpoint(file, tiny, every=0)).status == "finished"
        assert "warning: no checkpoint could be written (No space left on device" in capsys.readouterr().err

    def test_of_another_configuration_is_refused_with_the_difference(self, tiny, file):
        with pytest.raises(Interrupted):
            run(tiny, checkpoint=Checkpoint(file, tiny, every=3600), stop=StopAfter(1))
        other = tiny.override({"train.epochs": 3, "model.attention.reduction": 2})
        with pytest.raises(ConfigError, match=r"model.attention.reduction \(4 and 2\), train.epochs \(2 and 3\)"):
            run(other, checkpoint=Checkpoint(file, other, every=3600))

    def test_that_is_damaged_anywhere_is_refused(self, tiny, file):
        with pytest.raises(Interrupted):
            run(tiny, checkpoint=Checkpoint(file, tiny, every=3600), stop=StopAfter(1))
        whole = file.read_bytes()
        lengths = [0, 1, 20, len(whole) // 2, len(whole) - 1]
        places = [0, 25, 60, 200, len(whole) // 3, len(whole) - 2]
        flipped = [whole[:p] + bytes([whole[p] ^ 4]) + whole[p + 1 :] for p in places]
        for content in [*(whole[:length] for length in lengths), *flipped, b"rubbish", b"PK\x03\x04 older one"]:
            file.write_bytes(content)
            with pytest.raises(BadCheckpoint, match="checkpoint.bin"):
                Checkpoint(file, tiny, every=3600).load()

    def test_of_a_newer_version_says_so(self, tiny, file):
        file.write_bytes(b"DIANet Lab checkpoint 99 abc\n")
        with pytest.raises(BadCheckpoint, match="has format 99, but this version of the lab reads 2"):
            Checkpoint(file, tiny, every=3600).load()

    def test_is_not_written_once_the_claim_is_lost(self, tiny, file):
        def lost():
            raise LookupError("lost")

        with pytest.raises(LookupError):
            run(tiny, checkpoint=Checkpoint(file, tiny, every=0, guard=lost))
        assert not file.exists()


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test sets, from 0 s."""

    class Clock:
        now = 0.0

        def monotonic(self):
            return self.now

    made = Clock()
    monkeypatch.setattr(checkpoints, "time", made)
    return made
