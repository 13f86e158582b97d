"""Figures of networks: every layer of every block is drawn, and lines go through the numbers."""

import numpy as np
import pandas as pd
import pytest

from dianet_lab import plots
from dianet_lab.backbones.registry import BACKBONES
from dianet_lab.errors import DataError
from dianet_lab.plots.networks import AFTER, BLOCKS


def test_blocks_has_a_column_for_each_backbone_with_one_gate_and_one_sum():
    ax = plots.plot_blocks()
    texts = [text.get_text() for text in ax.texts]
    titles = [title.partition("\n")[0] for title in BLOCKS]
    assert sorted(titles) == sorted(backbone.title for backbone in BACKBONES.values())
    assert texts.count("×") == texts.count("+") == texts.count("gate") == len(BLOCKS)
    assert texts.count("ReLU") == len(AFTER)
    (key,) = [text for text in ax.texts if text.get_gid() == "key"]
    assert sum("conv" in text for text in texts if text != key.get_text()) == 3 + 3 + 3 + 2
    assert all(mark in key.get_text() for mark in ("×:", "×4:", "+:", "Dashed:", "kernel in pixels"))


def test_units_by_depth_draws_every_arm_in_its_colour_and_marks_the_crossing():
    costs = pd.DataFrame(
        {"depth": [20, 29] * 2, "arm": ["DIA"] * 2 + ["SE per block"] * 2, "parameters": [2e6, 2e6, 1e6, 3e6]}
    )
    ax = plots.plot_units_by_depth(costs, crossover=29)
    lines = {line.get_gid(): line for line in ax.get_lines()}
    dia, se = (line for line in ax.get_lines() if line.get_gid() == "line")
    np.testing.assert_allclose(se.get_ydata(), [1e6, 3e6])
    assert dia.get_color() == plots.arm_style("DIA").color and list(lines["crossover"].get_xdata()) == [29, 29]
    assert "from depth 29 on\nDIA has the fewest" in [text.get_text() for text in ax.texts]
    assert "crossover" not in {line.get_gid() for line in plots.plot_units_by_depth(costs).get_lines()}


def test_fine_tuning_draws_every_update():
    history = pd.DataFrame({"arm": ["plain"] * 3, "step": [1, 2, 3], "loss": [2.0, 1.5, 1.0]})
    ax = plots.plot_fine_tuning(history)
    (line,) = ax.get_lines()
    np.testing.assert_allclose(line.get_xydata(), [[1, 2.0], [2, 1.5], [3, 1.0]])
    assert ax.get_ylim()[0] == 0


@pytest.mark.parametrize("plot", [plots.plot_units_by_depth, plots.plot_fine_tuning])
def test_a_frame_that_lacks_a_column_is_refused(plot):
    with pytest.raises(DataError, match="lacks"):
        plot(pd.DataFrame({"arm": []}))


def test_an_arm_of_a_backbone_has_the_colour_of_its_unit():
    assert plots.arm_style("PreResNet, DIA") == plots.arm_style("DIA")
    assert plots.arm_style("plain, gain 0.25") != plots.arm_style("plain")
