"""The explorer's panels draw what went in, and its picture has them all."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgba

from dianet_lab.errors import DataError
from dianet_lab.explore.picture import draw
from dianet_lab.explore.seen import Neighbour, Seen
from dianet_lab.explore.state import State
from dianet_lab.plots import explorer
from dianet_lab.plots.style import INK, arm_style

RNG = np.random.default_rng(0)
NAMES = [f"class {k}" for k in range(30)]


def lines(ax) -> dict:
    return {line.get_gid(): line for line in ax.lines}


def widths(ax, gid: str) -> list[float]:
    return [bar.get_width() for bar in ax.patches if bar.get_gid() == gid]


class TestClassOdds:
    def test_two_bars_a_class_and_the_true_one_marked(self):
        before, after = np.array([0.7, 0.2, 0.1]), np.array([0.3, 0.6, 0.1])
        ax = explorer.plot_class_odds(before, after, NAMES[:3], 1)
        assert widths(ax, "before") == pytest.approx(before) and widths(ax, "after") == pytest.approx(after)
        labels = ax.get_yticklabels()
        assert [label.get_text() for label in labels] == ["class 0", "class 1 (true)", "class 2"]
        assert [label.get_fontweight() for label in labels] == ["normal", "bold", "normal"]
        assert ax.get_xlim() == (0, 1)

    def test_of_many_classes_the_true_one_and_the_likeliest(self):
        before, after = np.zeros(30), np.zeros(30)
        before[20:29], after[3] = 0.1, 1.0
        ax = explorer.plot_class_odds(before, after, NAMES, 0)
        shown = [label.get_text() for label in ax.get_yticklabels()]
        assert len(shown) == 10 and shown[:2] == ["class 0 (true)", "class 3"]

    def test_names_must_fit(self):
        with pytest.raises(DataError, match="30 class names"):
            explorer.plot_class_odds(np.ones(3), np.ones(3), NAMES, 0)


class TestStageGates:
    def test_is_the_map_with_the_block_framed_by_its_own_number(self):
        gates = RNG.uniform(size=(3, 8))
        ax = explorer.plot_stage_gates(gates, [1, 2, 3], 3, stage=1)
        np.testing.assert_array_equal(ax.images[0].get_array(), gates)
        (frame,) = [patch for patch in ax.patches if patch.get_gid() == "block"]
        assert frame.get_y() == 2.5 and frame.get_height() == 1
        assert ax.images[0].get_extent() == [-0.5, 7.5, 3.5, 0.5]

    def test_the_block_must_be_there(self):
        with pytest.raises(DataError, match="block 0 to frame"):
            explorer.plot_stage_gates(np.ones((2, 4)), [1, 2], 0)


class TestGateChannels:
    def test_has_the_gate_the_change_the_mean_and_its_band(self):
        gate, changed, usual, spread = RNG.uniform(size=(4, 16))
        ax = explorer.plot_gate_channels(gate, changed, usual, spread, arm="SE shared")
        drawn = lines(ax)
        for name, values in {"gate": gate, "changed": changed, "usual": usual}.items():
            np.testing.assert_array_equal(drawn[name].get_ydata(), values)
        assert drawn["gate"].get_color() == arm_style("SE shared").color and drawn["changed"].get_color() == INK
        (band,) = ax.collections
        heights = band.get_paths()[0].vertices[:, 1]
        assert heights.min() == pytest.approx((usual - spread).min())
        assert heights.max() == pytest.approx((usual + spread).max())

    def test_what_has_not_changed_is_drawn_once(self):
        gate = RNG.uniform(size=16)
        assert set(lines(explorer.plot_gate_channels(gate, gate))) == {"gate"}

    def test_many_channels_have_no_markers_and_a_single_one_always_has(self):
        for channels, marker in ((65, "None"), (64, "o"), (1, "o")):
            line = lines(explorer.plot_gate_channels(np.arange(channels), np.arange(channels)))["gate"]
            assert (line.get_marker() or "None") == marker
            plt.close("all")


class TestLayerEffects:
    def test_a_bar_a_layer_with_a_gap_between_stages_and_the_chosen_one_dark(self):
        layers, changes = [(0, 0), (0, 1), (1, 0)], np.array([0.1, -0.2, 0.3])
        ax = explorer.plot_layer_effects(layers, changes, (0, 1))
        bars = ax.patches
        assert [bar.get_height() for bar in bars] == pytest.approx(changes)
        at = [bar.get_x() for bar in bars]
        assert np.diff(at) == pytest.approx([1, 2])
        assert [bar.get_facecolor() == to_rgba(INK) for bar in bars] == [False, True, False]
        assert [text.get_text() for text in ax.texts] == ["stage 0", "stage 1"]

    def test_every_layer_has_a_change(self):
        with pytest.raises(DataError, match="2 changes for 1 layers"):
            explorer.plot_layer_effects([(0, 0)], np.ones(2))


def seen(block: int = 1, channels: int = 8, colours: int = 1, notes=()) -> Seen:
    gates, changed, usual, spread = RNG.uniform(size=(4, 3, channels))
    near = [
        Neighbour(k, gates[k], changed[k], 0.5, float("nan")) if 0 <= k < 3 else None for k in (block - 1, block + 1)
    ]
    layers = [(stage, number) for stage in range(2) for number in range(3)]
    state = State("run", 4, 1, block, "training mean", 0.5, 7)
    picture = RNG.integers(0, 255, (colours, 8, 8)).astype(np.uint8)
    odds = np.array([0.25, 0.75]), np.array([0.5, 0.5])
    return Seen(
        state, "ResNet-20, DIA", "DIA", picture, 0, ("cat", "dog"), *odds, 1.0986, [0, 1, 2], gates, changed, usual,
        spread, near, layers, RNG.normal(size=6), -0.25, list(notes),
    )  # fmt: skip


class TestPicture:
    def texts(self, figure) -> str:
        found = [text.get_text() for part in figure.subfigs for text in part.texts]
        for ax in figure.axes:
            found += [ax.get_title("left"), ax.get_title(), ax.get_xlabel(), *(text.get_text() for text in ax.texts)]
        return " ".join("\n".join(found).split())

    def test_says_what_was_done_and_what_came_of_it(self):
        said = self.texts(draw(seen(notes=["A note."])))
        assert "image 4: a block's gate becomes its mean over training images, 50 % of the way" in said
        assert "the true class, cat, goes from 25.0 % to 50.0 %, its log-odds change by +1.099 nats." in said
        assert "A note." in said and "predicted: dog at 75.0 %" in said and "all layers at once: −0.250 nats" in said
        assert "block before (0): r = 0.50, less the means –" in said

    @pytest.mark.parametrize(("block", "missing"), [(0, "no block before"), (2, "no block after")])
    def test_says_where_there_is_no_neighbour(self, block, missing):
        assert missing in self.texts(draw(seen(block)))

    @pytest.mark.parametrize(("channels", "colours"), [(1, 1), (8, 3), (256, 1)])
    def test_has_room_for_every_network(self, channels, colours, recwarn):
        figure = draw(seen(channels=channels, colours=colours, notes=["A long note of a line. " * 6]))
        figure.canvas.draw()
        assert not [str(warning.message) for warning in recwarn if "layout" in str(warning.message)]

    def test_leaves_no_figure_open(self):
        draw(seen())
        assert plt.get_fignums() == []
