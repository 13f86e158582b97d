"""Schematics: as many unit boxes as there are units, state arrows only where the state walks on."""

import pytest
from matplotlib.colors import to_hex

from dianet_lab import plots
from dianet_lab.errors import ConfigError
from dianet_lab.plots.wiring import _key
from dianet_lab.plots.wiring_parts import CLOCK, SHORTCUT, STATE, STREAM

LEVELS = [
    ("1", "stage", "none", "lstm"),
    ("2", "stage", "none", "lstm", True),
    ("3", "stage", "clock", "lstm"),
    ("4", "stage", "detached", "lstm"),
    ("5", "stage", "carried", "lstm"),
]


def parts(ax, gid: str) -> list:
    return [artist for artist in ax.get_children() if artist.get_gid() == gid]


def count(ax, gid: str) -> int:
    return len(parts(ax, gid))


def units(ax) -> list:
    return parts(ax, "unit")


@pytest.mark.parametrize(("sharing", "boxes"), [("stage", 1), ("none", 5), (2, 3)])
@pytest.mark.parametrize(("memory", "carried"), [("carried", 4), ("none", 0)])
def test_boxes_are_units_and_arrows_are_states(sharing, boxes, memory, carried):
    ax = plots.draw_wiring(None, sharing, memory, blocks=5)
    assert count(ax, "unit") == boxes
    assert count(ax, "state") == carried
    assert count(ax, "zero state") == count(ax, "zero") == 5 - carried
    assert count(ax, "squeeze") == count(ax, "gate") == count(ax, "branch") == count(ax, "shortcut") == 5


def test_a_shared_box_spans_all_blocks():
    shared = units(plots.draw_wiring(None, "stage", "carried"))[0]
    own = units(plots.draw_wiring(None, "none", "carried"))
    assert shared.get_x() == own[0].get_x()
    assert shared.get_x() + shared.get_width() == pytest.approx(own[-1].get_x() + own[-1].get_width())
    assert own[0].get_x() + own[0].get_width() < own[1].get_x()


def test_a_unit_without_state_has_no_state_arrows():
    ax = plots.draw_wiring(None, "none", None, "se")
    assert (count(ax, "unit"), count(ax, "state"), count(ax, "zero state")) == (3, 0, 0)


def test_the_plain_backbone_has_neither_unit_nor_gate():
    ax = plots.draw_wiring(None, "none", None, "none")
    assert (count(ax, "unit"), count(ax, "gate"), count(ax, "branch"), count(ax, "shortcut")) == (0, 0, 3, 3)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("stage", "carried"), 'sharing="stage", memory="carried"'),
        ((2, "none"), 'sharing=2, memory="none"'),
        (("stage", "clock"), 'sharing="stage", memory="clock"'),
        (("stage", "detached"), 'sharing="stage", memory="detached"'),
        (("stage", "none", "lstm", 3, True), 'sharing="stage", memory="none", layer_embedding=True'),
        (("none", None, "se"), 'unit="se", sharing="none"'),
        (("stage", None, "none"), 'unit="none"'),
    ],
)
def test_the_code_of_a_wiring_stands_below_it_in_monospace(arguments, code):
    ax = plots.draw_wiring(None, *arguments)
    text = next(text for text in ax.texts if text.get_gid() == "code")
    assert text.get_text() == code
    assert text.get_family() == ["monospace"]


def test_the_parts_are_named():
    words = {text.get_text() for text in plots.draw_wiring(None, "stage", "carried").texts}
    assert {"block", "branch", "shortcut", "squeeze\n(average pool)", "gate", "state", "(h, c)", "0"} <= words


def test_the_shortcut_is_told_apart_from_the_way_through_the_branch():
    ax = plots.draw_wiring(None, "stage", "carried")
    for line, end in zip(parts(ax, "shortcut"), parts(ax, "shortcut end"), strict=True):
        assert to_hex(line.get_color()) == to_hex(end.get_edgecolor()) == SHORTCUT != STREAM
        assert line.get_linewidth() == end.get_linewidth()
    key = {line.get_label(): line.get_color() for line in _key([("a", "stage", "carried", "lstm")])}
    assert (key["shortcut"], list(key.values()).count(SHORTCUT)) == (SHORTCUT, 1)


def test_one_block_has_no_state_to_hand_on():
    ax = plots.draw_wiring(None, "stage", "carried", blocks=1)
    assert (count(ax, "state"), count(ax, "zero state")) == (0, 1)


@pytest.mark.parametrize("sharing", ["stage", "none", 2])
def test_a_detached_state_walks_on_and_every_gradient_stops_at_a_bar(sharing):
    ax = plots.draw_wiring(None, sharing, "detached", blocks=5)
    assert (count(ax, "state"), count(ax, "zero state")) == (4, 1)
    assert count(ax, "gradient") == count(ax, "stop") == 4
    for gradient, stop, state in zip(parts(ax, "gradient"), parts(ax, "stop"), parts(ax, "state"), strict=True):
        (start, y), (end, _) = gradient._posA_posB
        assert start > end > stop.get_xdata()[0] and end - stop.get_xdata()[0] < 0.1, "back, and up to the bar"
        assert min(stop.get_ydata()) < y < max(stop.get_ydata())
        assert min(stop.get_ydata()) > state._posA_posB[0][1], "the bar must not bar the state"


def test_only_a_detached_state_has_a_stopped_gradient():
    for memory in ("carried", "clock", "none"):
        assert count(plots.draw_wiring(None, "stage", memory), "stop") == 0


def test_a_clock_runs_the_unit_on_means_and_hands_those_states_to_every_use():
    ax = plots.draw_wiring(None, "stage", "clock", blocks=4)
    assert count(ax, "unit") == 1, "the same unit, not one more"
    assert count(ax, "use") == count(ax, "clock use") == count(ax, "mean") == 4
    assert count(ax, "clock state") == count(ax, "tick") == count(ax, "state") == 3
    assert count(ax, "zero") == 2, "both rows start from zero state"
    arrows = [*parts(ax, "clock state"), *parts(ax, "state")]
    assert {to_hex(arrow.get_edgecolor()) for arrow in arrows} == {CLOCK} != {STATE}
    uses, clocks = parts(ax, "use"), parts(ax, "clock use")
    for block, (tick, state) in enumerate(zip(parts(ax, "tick"), parts(ax, "state"), strict=True), start=1):
        assert max(tick.get_ydata()) == clocks[block].get_ydata()[0], "from the clock's row, not from another use"
        assert clocks[block - 1].get_xdata()[0] < tick.get_xdata()[0] < uses[block].get_xdata()[0]
        assert state._posA_posB[1][0] == pytest.approx(uses[block].get_xdata()[0], abs=0.2)


@pytest.mark.parametrize("memory", ["none", "carried", "detached", "clock"])
def test_a_layer_embedding_is_a_vector_of_its_own_at_every_block(memory):
    ax = plots.draw_wiring(None, "none", memory, blocks=4, layer_embedding=True)
    texts = [text.get_text() for text in ax.texts]
    assert count(ax, "embedding") == 4 and {f"$e_{{{block}}}$" for block in range(1, 5)} <= set(texts)
    assert sum("e_{3}" in text for text in texts) == (2 if memory == "clock" else 1), "the clock's cell adds it too"
    assert count(plots.draw_wiring(None, "none", memory), "embedding") == 0


def test_only_the_lstm_is_drawn_with_a_layer_embedding():
    with pytest.raises(ConfigError, match="layer_embedding: got True, .* unit is 'se'"):
        plots.draw_wiring(None, "stage", None, "se", layer_embedding=True)


def test_an_unknown_memory_is_refused():
    with pytest.raises(ConfigError, match="did you mean 'carried'"):
        plots.draw_wiring(None, "stage", "caried")


def test_several_wirings_share_one_key():
    panels = [("a", "stage", "carried", "lstm"), ("b", "none", None, "se"), ("c", "none", "none", "lstm")]
    figure = plots.plot_wirings(panels)
    assert [ax.get_title() for ax in figure.axes] == ["a", "b", "c", ""]
    words = [text.get_text() for text in figure.legends[0].get_texts()]
    assert words == ["squeeze (average pool)", "gate", "state (h, c)", "shortcut"]
    stateless = plots.plot_wirings(panels[1:2])
    assert "state (h, c)" not in [text.get_text() for text in stateless.legends[0].get_texts()]


def test_five_levels_of_memory_are_one_call_with_the_key_in_the_free_place():
    figure = plots.plot_wirings(LEVELS)
    *levels, free = figure.axes
    drawn = [(count(ax, "state"), count(ax, "stop"), count(ax, "mean"), count(ax, "embedding")) for ax in levels]
    assert drawn == [(0, 0, 0, 0), (0, 0, 0, 3), (2, 0, 3, 0), (2, 2, 0, 0), (2, 0, 0, 0)]
    words = " ".join(text.get_text() for text in free.get_legend().get_texts())
    assert not figure.legends
    assert all(
        word in words for word in ("same\nfor all images", "mean squeeze", "gradient, stopped", "learned vector")
    )


def test_the_key_has_no_sign_that_is_not_drawn():
    figure = plots.plot_wirings(LEVELS[2:4])
    words = " ".join(text.get_text() for text in figure.legends[0].get_texts())
    assert "mean squeeze" in words and "gradient" in words and "learned" not in words
    assert len(plots.plot_wirings(LEVELS[:1]).legends[0].get_texts()) == 4


def test_the_stage_schematic_sets_many_units_beside_one():
    left, right = plots.plot_stage_schematic(blocks=3).axes
    assert (count(left, "unit"), count(left, "state")) == (3, 0)
    assert (count(right, "unit"), count(right, "state")) == (1, 2)


@pytest.mark.parametrize("sharing", ["stage", "none"])
@pytest.mark.parametrize("embedding", [False, True])
def test_names_in_a_wiring_do_not_overlap(sharing, embedding):
    memories = ("carried", "detached", "clock", "none")
    figure = plots.plot_wirings([(memory, sharing, memory, "lstm", embedding) for memory in memories])
    figure.draw_without_rendering()
    width = figure.bbox.width / 2
    for number, ax in enumerate(figure.axes):
        boxes = [text.get_window_extent() for text in ax.texts]
        assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i]), ax.get_title()
        left = number % 2 * width
        assert all(left <= box.x0 and box.x1 <= left + width for box in boxes), "a word leaves its half of the figure"


def test_the_cell_has_its_equations_and_two_bottlenecks():
    ax = plots.plot_cell_diagram()
    equations = [text.get_text() for text in ax.texts if text.get_gid() == "equation"]
    assert equations == ["c′ = f · c + i · g", "h′ = o · σ(c′)"]
    assert count(ax, "bottleneck") == 2
    assert {"x", "h", "c", "c′", "h′", "f", "i", "g", "o"} <= {text.get_text() for text in ax.texts}
