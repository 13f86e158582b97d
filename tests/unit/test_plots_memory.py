"""Figures of the memory: what is drawn are the frame's numbers."""

import numpy as np
import pandas as pd
import pytest

from dianet_lab import plots
from dianet_lab.analysis import memory_frames, memory_words, state_changes
from dianet_lab.analysis.interval import t_interval
from dianet_lab.analysis.statistics import as_arms
from dianet_lab.errors import DataError, LabError
from dianet_lab.plots.memory import KIND_STYLES


@pytest.fixture
def curves():
    rows = [
        {"arm": arm, "seed": seed, "kind": kind, "mode": mode, "stage": stage, "distance": distance}
        | {"effect": (0.4 + 0.01 * seed) * 0.5 ** (distance - 1) * (2 if kind == "zero" else 1)}
        for arm in ("DIA", "DIA, untrained")
        for seed in range(3)
        for kind in ("other class", "zero")
        for mode in ("memory", "total")
        for stage in (0, 1)
        for distance in (1, 2, 3)
    ]
    return pd.DataFrame(rows)


class TestByDistance:
    def test_draws_geometric_means_and_intervals_a_panel_a_stage(self, curves):
        part = curves[(curves["kind"] == "other class") & (curves["mode"] == "memory")]
        axes = plots.plot_by_distance(part, noticed=0.1)
        assert [ax.get_title() for ax in axes] == ["stage 0", "stage 1"]
        line = next(line for line in axes[1].lines if len(line.get_xdata()) == 3)
        mean, low, high = np.exp(t_interval(np.log([0.40, 0.41, 0.42])))
        assert line.get_ydata()[0] == pytest.approx(mean)
        segments = axes[1].collections[0].get_segments()
        np.testing.assert_allclose(segments[0][:, 1], [low, high])
        assert axes[0].get_yscale() == "log"
        assert [line.get_ydata()[0] for line in axes[0].lines if line.get_gid() == "noticed"] == [0.1]

    def test_an_arm_has_its_colour_and_the_whole_network_a_dashed_line(self, curves):
        axes = plots.plot_by_distance(curves[curves["kind"] == "other class"])
        drawn = [line for line in axes[0].lines if len(line.get_xdata()) == 3]
        assert len(drawn) == 4 and {line.get_color() for line in drawn} >= {plots.arm_style("DIA").color}
        assert sum(line.get_linestyle() != "-" for line in drawn) == 2

    def test_kinds_of_several_arms_have_a_row_of_panels_each(self, curves):
        axes = plots.plot_by_distance(curves[curves["mode"] == "memory"], hue="kind", rows="arm")
        titles = ["DIA: stage 0", "stage 1", "DIA, untrained: stage 0", "stage 1"]
        assert [ax.get_title(loc="left") or ax.get_title() for ax in axes] == titles
        assert [bool(ax.get_ylabel()) for ax in axes] == [True, False] * 2
        assert [bool(ax.get_xlabel()) for ax in axes] == [False] * 2 + [True] * 2

    def test_every_kind_has_a_look_of_its_own(self):
        assert set(KIND_STYLES) == set(state_changes.KINDS) and len(set(KIND_STYLES.values())) == len(
            state_changes.KINDS
        )
        assert not {style.marker for style in KIND_STYLES.values()} & set("x+|_")  # they are all edge, which is white

    def test_a_single_network_has_no_intervals(self, curves):
        axes = plots.plot_by_distance(curves[(curves["seed"] == 0) & (curves["arm"] == "DIA")], hue="kind", noticed=0.1)
        assert not axes[0].collections

    def test_a_frame_that_lacks_a_column_is_refused(self, curves):
        with pytest.raises(DataError, match="lacks effect"):
            plots.plot_by_distance(curves.drop(columns="effect"))


class TestFrames:
    def test_what_is_kept_a_block_is_the_rate_of_the_curve(self, curves):
        assert memory_frames.halvings(curves)["kept"].to_numpy() == pytest.approx(0.5)

    def test_reach_is_told_for_each_network_and_kind(self, curves):
        far = memory_frames.reaches(curves).set_index(["arm", "seed", "kind", "mode", "stage"])["reach"]
        assert (far.xs("other class", level="kind") == 3).all() and len(far) == 2 * 3 * 2 * 2 * 2

    def test_kinds_become_arms_for_the_statistics(self, curves):
        named = as_arms(curves, "effect", "kind")
        assert set(named["arm"]) == {
            f"{arm}: {kind}" for arm in ("DIA", "DIA, untrained") for kind in ("other class", "zero")
        }

    def test_sentences_have_the_numbers_of_the_frame(self, curves):
        said = memory_words.reach_sentence(curves, memory_frames.reaches(curves), "DIA", "DIA, untrained")
        assert "0.41 [0.39, 0.43]" in said and "those 3 blocks on" in said
        alone = curves[curves["seed"] == 0]
        assert "by 0.40 of" in memory_words.reach_sentence(alone, memory_frames.reaches(alone), "DIA", "DIA, untrained")

    def test_answers_are_told_beside_random_changes_as_long_and_intervals_as_the_tables_have_them(self):
        flips = {
            "other class": (0.0, 0.0),
            "random": (0.0, 0.01),
            "zero": (0.01, 0.03),
            "random, as zero": (0.02, 0.02),
        }
        rows = [
            {"kind": kind, "seed": seed, "flips": value, "kl": 2e-5, "source": source}
            for kind, values in flips.items()
            for seed, value in enumerate(values)
            for source in (0, 1)
        ]
        frame = pd.DataFrame(rows).assign(arm="DIA", mode="total", stage=0, images=50, accuracy=0.98)
        said = memory_words.answers_sentence(frame, "DIA")
        assert "for 50 test images, of which about 98 % are right, such a swap behind" in said
        assert "with features computed anew, changes none (KL 2.0e-05 nats)" in said
        assert "as long 0.50 % [−5.85, 6.85] (KL" in said and "a reset to zero 2.00 % [" in said
        assert "as long as that 2.00 % [2.00, 2.00] (KL" in said and "the 2 blocks that" in said

    def test_what_a_swap_keeps_is_told_beside_the_untrained_network(self, curves):
        kept = pd.DataFrame({"seed": [0, 1, 2] * 2, "arm": ["DIA"] * 3 + ["DIA, untrained"] * 3})
        kept["kept"] = [0.50, 0.51, 0.52, 0.55, 0.56, 0.57]
        said = memory_words.kept_sentence(kept, "DIA", "DIA, untrained")
        assert "keeps 0.51 [0.49, 0.53] of its effect, in the untrained network 0.56" in said
        assert said.endswith("(paired difference −0.050 [−0.050, −0.050]): training has made the reach shorter.")
        alone = kept[kept["seed"] == 0]
        assert "not clearly changed" in memory_words.kept_sentence(alone, "DIA", "DIA, untrained")

    def test_held_forget_gates_are_told_or_that_there_are_none(self):
        rows = [{"held": held, "seed": s, "effect": 1.5, "flips": 0.02} for held in ("0", "1", "mean") for s in (0, 1)]
        frame = pd.DataFrame(rows).assign(arm="DIA", mode="total", stage=0)
        said = memory_words.forget_sentence(frame, "DIA")
        assert "(at 1), gates move by 1.50 [1.50, 1.50] of their deviations and 2.00 % [2.00, 2.00] of the" in said
        assert memory_words.forget_sentence(frame, "SE") == ""


def test_arms_without_a_memory_are_left_out_and_none_is_an_error():
    from dianet_lab.analysis import subject
    from dianet_lab.studies.catalog import get_study
    from dianet_lab.studies.store import RunStore

    seen = subject.look(get_study("vectors", "smoke", seeds=1, epochs=1), RunStore(), workers=1)
    assert memory_frames.arms_with_memory(seen) == ["DIA", "per block, carried"]
    single = subject.of_run(RunStore(), get_study("vectors", "smoke", epochs=1).config("SE shared", 0).run_id)
    with pytest.raises(LabError, match="the units have no memory"):
        memory_frames.arms_with_memory(single)
