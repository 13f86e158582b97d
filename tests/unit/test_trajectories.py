"""Trajectories: planted walks come back with the variance that was planted, and a state is taken before a gate."""

import numpy as np
import pytest
import xarray as xr

from dianet_lab.analysis.trajectories import explained_table, trajectory
from dianet_lab.errors import LabError

IMAGES, BLOCKS = 60, 4


def stage(**values: np.ndarray) -> xr.Dataset:
    coords = {"label": ("image", [f"{n % 3}" for n in range(IMAGES)]), "block": np.arange(BLOCKS)}
    return xr.Dataset({name: (("image", "block", "channel"), array) for name, array in values.items()}, coords)


def planted(walk: float, answer: float) -> np.ndarray:
    """A walk along channel 0 that all images share, and a class's own offset along channel 1."""
    values = np.zeros((IMAGES, BLOCKS, 5))
    values[:, :, 0] = walk * np.arange(BLOCKS)
    values[:, :, 1] = answer * (np.arange(IMAGES) % 3)[:, None]
    return values


class TestTrajectory:
    def test_finds_the_planted_walk_and_its_share_of_the_variance(self):
        found = trajectory(stage(gate=planted(walk=3.0, answer=1.0)))
        walk, answer = 9 * np.var(np.arange(BLOCKS)), np.var(np.arange(3))
        assert found.attrs["explained"] == pytest.approx([walk / (walk + answer), answer / (walk + answer)])
        steps = found.isel(component=0).diff("block")
        np.testing.assert_allclose(np.abs(steps), 3.0, atol=1e-9)

    def test_has_the_mean_of_each_class_where_it_was_planted(self):
        second = trajectory(stage(gate=planted(walk=3.0, answer=1.0))).isel(component=1)
        np.testing.assert_allclose(np.abs(second.sel(label="2") - second.sel(label="0")), 2.0, atol=1e-9)
        np.testing.assert_allclose(second.std("block"), 0, atol=1e-9)

    def test_centred_has_nothing_left_of_the_walk_that_all_images_share(self):
        found = trajectory(stage(gate=planted(walk=3.0, answer=1.0)), centred=True)
        assert found.attrs["explained"] == pytest.approx([1, 0]) and found.attrs["centred"]
        np.testing.assert_allclose(found.std("block"), 0, atol=1e-9)

    def test_of_gates_that_never_vary_is_a_point_that_explains_nothing(self):
        found = trajectory(stage(gate=planted(walk=3.0, answer=0.0)), centred=True)
        assert found.attrs["explained"] == [0, 0] and (found == 0).all()

    def test_sees_what_hardly_varies_as_well(self):
        tiny = 0.25 + 1e-6 * planted(walk=3.0, answer=1.0)
        large = trajectory(stage(gate=planted(walk=3.0, answer=1.0)))
        assert trajectory(stage(gate=tiny)).attrs["explained"] == pytest.approx(large.attrs["explained"], rel=1e-3)

    def test_has_the_dimensions_of_a_plane_also_of_a_single_channel(self):
        found = trajectory(stage(gate=planted(1.0, 1.0)[:, :, :1]))
        assert dict(found.sizes) == {"label": 3, "block": BLOCKS, "component": 2}
        assert found.attrs["explained"] == pytest.approx([1, 0])


class TestWhatWalks:
    def test_is_the_state_where_there_is_one_and_h_and_c_both_count(self):
        still, moving = planted(0.0, 0.0), planted(2.0, 1.0)
        for h, c in ((still, moving), (moving, still)):
            found = trajectory(stage(gate=still, h=h, c=c))
            assert found.attrs["of"] == "state (h, c)" and sum(found.attrs["explained"]) == pytest.approx(1)

    def test_is_h_of_a_cell_without_c_and_the_gate_of_a_unit_without_a_memory(self):
        values = planted(2.0, 1.0)
        assert trajectory(stage(gate=values, h=values)).attrs["of"] == "state h"
        assert trajectory(stage(gate=values)).attrs["of"] == "gate"

    def test_is_refused_where_nothing_of_it_was_captured(self):
        with pytest.raises(LabError, match="needs h and c, or the gate; captured were squeeze"):
            trajectory(stage(squeeze=planted(1.0, 1.0)))


def test_the_table_has_a_row_a_network_and_stage_and_both_shares():
    table = explained_table({"DIA": [stage(gate=planted(3.0, 1.0))] * 2, "still": [stage(gate=planted(1.0, 0.0))]})
    assert list(zip(table["network"], table["stage"], strict=True)) == [("DIA", 0), ("DIA", 1), ("still", 0)]
    assert table["walk"].tolist() == pytest.approx([1, 1, 1]) and table["answer"].tolist() == pytest.approx([1, 1, 0])
