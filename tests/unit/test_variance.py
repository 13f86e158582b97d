"""Where the variance of gates lies: what is put in is found."""

import numpy as np
import pytest
import xarray as xr

from dianet_lab.analysis.gates import Network
from dianet_lab.analysis.planted import planted
from dianet_lab.analysis.variance import PARTS, gate_variance, image_share, variance_parts
from dianet_lab.config import DataConfig
from dianet_lab.data.sources import load_data

SHAPES = {"image": (400, 1, 1), "layer": (1, 40, 1), "channel": (1, 1, 50), "both": (1, 40, 50)}


def made_of(*parts, **sizes):
    random = np.random.RandomState(0)
    shapes = [SHAPES[part] for part in parts]
    values = 0.5 + sum(
        0.1 * sizes.get(part, 1) * random.randn(*shape) for part, shape in zip(parts, shapes, strict=True)
    )
    full = np.broadcast_to(values, (400, 40, 50))
    return xr.DataArray(full, dims=("image", "block", "channel"))


class TestParts:
    @pytest.mark.parametrize("part", PARTS)
    def test_what_all_variance_comes_from_has_all_of_it(self, part):
        found = variance_parts(made_of(part))
        # A profile of each layer's own has means over layers and channels that are not quite 0.
        assert found[part] == pytest.approx(1, abs=0.06) and sum(found.values()) == pytest.approx(1)

    def test_of_two_each_has_its_share(self):
        found = variance_parts(made_of("image", "channel", image=3))
        assert found["image"] == pytest.approx(0.9, abs=0.03) and found["channel"] == pytest.approx(0.1, abs=0.03)
        assert found["layer"] == pytest.approx(0, abs=1e-9)

    def test_gates_that_are_all_equal_have_none(self):
        assert all(np.isnan(part) for part in variance_parts(made_of("image", image=0)).values())


class TestShareOfTheImage:
    @pytest.mark.parametrize("parts, expected", [(["image"], 1), (["channel"], 0), (["image", "channel"], 0.5)])
    def test_is_that_of_the_variance_which_is_not_the_channels_profile(self, parts, expected):
        assert image_share(made_of(*parts)) == pytest.approx(expected, abs=0.1)

    def test_does_not_count_that_layers_differ(self):
        assert image_share(made_of("image", "layer")) == pytest.approx(1)

    @pytest.mark.parametrize("scenario", ["constant", "clock"])
    def test_of_planted_gates_that_see_no_image_is_none(self, scenario):
        splits = load_data(DataConfig(train_size=100, test_limit=80), 0)
        network = Network({"arm": "DIA", "seed": 0, "when": "end"}, planted(scenario, 0), splits.test, splits.train)
        frame = gate_variance([network])
        assert len(frame) == 3 and (frame["share"].isna() | (frame["share"] < 1e-6)).all()
        if scenario == "clock":
            assert frame["layer"].min() > 0.99
