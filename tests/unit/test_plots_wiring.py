"""Schematics: as many unit boxes as there are units, state arrows only where the state walks on."""

import pytest

from dianet_lab import plots
from dianet_lab.errors import ConfigError


def count(ax, gid: str) -> int:
    return sum(artist.get_gid() == gid for artist in ax.get_children())


def units(ax) -> list:
    return [artist for artist in ax.get_children() if artist.get_gid() == "unit"]


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


def test_one_block_has_no_state_to_hand_on():
    ax = plots.draw_wiring(None, "stage", "carried", blocks=1)
    assert (count(ax, "state"), count(ax, "zero state")) == (0, 1)


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


def test_the_stage_schematic_sets_many_units_beside_one():
    left, right = plots.plot_stage_schematic(blocks=3).axes
    assert (count(left, "unit"), count(left, "state")) == (3, 0)
    assert (count(right, "unit"), count(right, "state")) == (1, 2)


def test_names_in_a_wiring_do_not_overlap():
    figure = plots.plot_wirings([("a", sharing, "carried", "lstm") for sharing in ("stage", "none")])
    figure.draw_without_rendering()
    for ax in figure.axes:
        boxes = [text.get_window_extent() for text in ax.texts]
        assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])


def test_the_cell_has_its_equations_and_two_bottlenecks():
    ax = plots.plot_cell_diagram()
    equations = [text.get_text() for text in ax.texts if text.get_gid() == "equation"]
    assert equations == ["c′ = f · c + i · g", "h′ = o · σ(c′)"]
    assert count(ax, "bottleneck") == 2
    assert {"x", "h", "c", "c′", "h′", "f", "i", "g", "o"} <= {text.get_text() for text in ax.texts}
