"""The look of the lab: colours that stay the same, text that can be read, names that keep apart."""

import itertools
import subprocess
import sys

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from dianet_lab import plots
from dianet_lab.analysis.interval import t_interval
from dianet_lab.plots.labels import _spread
from dianet_lab.plots.style import ARM_STYLES, arm_style, readable
from dianet_lab.studies.catalog import STUDIES, get_study


def test_an_unknown_arm_looks_the_same_in_every_process():
    code = "from dianet_lab.plots import arm_style; print(*arm_style('my arm'))"
    other = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": "7"}
    )
    assert other.stdout.split() == [*arm_style("my arm")]
    assert arm_style("my arm").color not in {style.color for style in ARM_STYLES.values()}


def test_no_two_arms_of_the_lab_look_the_same():
    networks = ("shared", "per block", "untrained", "this run")
    arms = {name: look for name, look in ARM_STYLES.items() if name not in networks}
    assert len(set(arms.values())) == len(arms)


# Linear RGB as those see it who lack the red or the green cone (Machado et al. 2009, severity 1), and as others do.
EYES = (
    np.eye(3),
    np.array([[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]),
    np.array([[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]),
)
XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def lab(color: str, eye: np.ndarray) -> np.ndarray:
    """CIE L*a*b* of a colour."""
    rgb = np.array(to_rgb(color))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    xyz = XYZ @ np.clip(eye @ linear, 0, 1) / XYZ.sum(axis=1)
    x, y, z = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def apart(one: str, other: str) -> float:
    """The distance of two colours for whoever sees it smallest; 2 is just noticed where they touch."""
    return min(float(np.linalg.norm(lab(one, eye) - lab(other, eye))) for eye in EYES)


@pytest.mark.parametrize("study", [name for name in STUDIES if name != "vectors"])
def test_arms_of_one_study_are_told_apart_by_the_colour_blind(study):
    """By their markers and a little by their colours, or where the marker is the same clearly by their colours."""
    names = {arm.rpartition(": ")[2] for arm in get_study(study, "digits").arms}
    looks = {arm_style(arm): arm for arm in sorted(names)}
    for (one, a), (other, b) in itertools.combinations(looks.items(), 2):
        least = 20 if one.marker == other.marker else 5
        assert apart(one.color, other.color) >= least, f"{a} and {b}"


def test_readable_darkens_only_what_is_too_light():
    assert readable("#041c3a") == "#041c3a"
    assert readable("#ffff00") != "#ffff00"


def test_names_at_line_ends_stay_apart_and_inside():
    placed = _spread(np.array([0.5, 0.97, 0.98, 0.99]), 0.05)
    assert (np.diff(placed) >= 0.05 - 1e-12).all()
    assert placed[-1] <= 1
    np.testing.assert_allclose(_spread(np.array([0.1, 0.5]), 0.05), [0.1, 0.5])


def test_t_interval_of_few_values():
    assert t_interval([0.5])[0] == 0.5 and np.isnan(t_interval([0.5])[1])
    assert np.isnan(t_interval([np.nan])).all()


def test_the_style_is_readable():
    with plt.rc_context():
        plots.set_style()
        assert min(plt.rcParams[key] for key in ("font.size", "xtick.labelsize", "legend.fontsize")) >= 9
