"""Gradients of blocks in the first updates: those of the run itself, and why of parameters rather than outputs."""

import numpy as np
import pandas as pd
import pytest
import torch

from dianet_lab.analysis.gradients import block_gradients, common_rate, decay, decay_sentence, study_gradients
from dianet_lab.data.sources import load_data
from dianet_lab.seeding import seed_of
from dianet_lab.studies.catalog import get_study
from dianet_lab.studies.catalog.arms import ARMS
from dianet_lab.training.device import repeatable
from dianet_lab.training.trainer import Training


class TestBlockGradients:
    def test_are_those_of_the_run_itself(self, tiny):
        """After the first epoch the last update's gradients still lie in the parameters."""
        steps = 2  # 40 images in batches of 20
        cpu = torch.device("cpu")
        with repeatable(cpu, 1, seed_of("run", tiny.seed)):
            training = Training(tiny, load_data(tiny.data, tiny.seed), cpu)
            training.run_epoch()
        expected = [
            torch.cat([p.grad.flatten() for p in block.parameters()]).norm().item()
            for stage in training.model.stages
            for block in stage.blocks
        ]
        found = block_gradients(tiny, [0, steps - 1], "cpu")
        np.testing.assert_allclose(found.loc[found["update"] == steps - 1, "norm"], expected, rtol=1e-5)

    def test_have_a_row_a_block_and_update_across_epochs(self, tiny):
        found = block_gradients(tiny, [0, 3], "cpu")
        assert list(found["update"]) == [0] * 6 + [3] * 6 and list(found["block"]) == [*range(6)] * 2
        assert list(found["stage"]) == [0, 0, 1, 1, 2, 2] * 2 and (found["norm"] > 0).all()

    def test_of_a_run_that_is_shorter_the_last_update_counts(self, tiny):
        """Two epochs of two updates."""
        assert set(block_gradients(tiny, [0, 99], "cpu")["update"]) == {0, 3}

    def test_leave_the_attention_out(self, tiny):
        """At the start an unshared unit is no block's parameter: SE per block and DIA have the plain blocks' sizes."""
        dia = block_gradients(tiny, [0], "cpu")
        assert np.isfinite(dia["norm"]).all() and len(dia) == 6

    def test_do_not_see_a_scale_that_the_next_norm_undoes(self, tiny):
        """Without skips a constant gate divides all gradients alike (the last gate's doing) and bends no curve."""
        flat = tiny.override({"model.skip": False})
        plain, gated = (
            block_gradients(flat.override(dict(ARMS[arm])), [0], "cpu")["norm"].to_numpy()
            for arm in ("plain", "constant 0.25")
        )
        ratio = (gated / plain)[:-1]
        assert ratio.max() / ratio.min() < 1.05 and ratio.mean() < 0.5


class TestStudyGradients:
    def test_name_the_arms_as_elsewhere(self):
        study = get_study("stability", "smoke")
        found = study_gradients(study, "no skip", ["plain", "DIA"], seeds=[0, 1], updates=[0], device="cpu")
        assert list(found) == ["arm", "seed", "update", "stage", "block", "norm"]
        assert set(found["arm"]) == {"plain", "DIA"} and set(found["seed"]) == {0, 1} and len(found) == 2 * 2 * 3

    @pytest.mark.parametrize("profile", ["smoke", "quick", "digits", "cifar10", "paper"])
    def test_are_taken_at_the_common_rate(self, profile):
        study = get_study("stability", profile)
        assert common_rate(study) == study.base.train.lr == 0.1


def norms(arm, *seeds, update=0):
    """``norms("DIA", [1, 2], [1, 4])``: the norm of each block, seed by seed."""
    return [
        {"arm": arm, "seed": seed, "update": update, "stage": 0, "block": block, "norm": norm}
        for seed, values in enumerate(seeds)
        for block, norm in enumerate(values)
    ]


class TestDecay:
    def test_is_the_first_block_over_the_last(self):
        table = decay(pd.DataFrame(norms("plain", [1, 5, 4], [4, 5, 4]) + norms("DIA", [2, 1, 1], [2, 1, 1])))
        plain, dia = table.to_dict("records")
        assert (plain["arm"], plain["seeds"]) == ("plain", 2) and plain["ratio"] == pytest.approx(0.5)
        assert (plain["low"], plain["high"]) == (pytest.approx(0.25), pytest.approx(1))
        assert dia["ratio"] == pytest.approx(2) and dia["typical"] == pytest.approx(2 ** (1 / 3))

    def test_leaves_out_what_is_no_number_and_says_how_many_are_left(self):
        table = decay(pd.DataFrame(norms("plain", [1, 2], [np.nan, 1]) + norms("DIA", [0, 1], [np.inf, 1])))
        assert list(table["seeds"]) == [1, 0] and np.isnan(table["ratio"].iloc[1])

    def test_is_told_in_words(self):
        table = decay(pd.DataFrame(norms("plain", [0.0123, 1]) + norms("DIA", [456, 1]) + norms("x", [np.nan, 1])))
        told = decay_sentence(table)
        assert told.startswith("Before any update") and "plain 0.012 [0.012, 0.012], DIA 460 [460, 460]" in told
        assert "x" not in told.split(" is ")[1].split(" (")[0]
        assert decay_sentence(table, 7) == "No gradient is finite at update 7."
