"""The look of the lab: colours that stay the same, text that can be read, names that keep apart."""

import subprocess
import sys

import matplotlib.pyplot as plt
import numpy as np

from dianet_lab import plots
from dianet_lab.analysis.interval import t_interval
from dianet_lab.plots.labels import _spread
from dianet_lab.plots.style import ARM_STYLES, arm_style, readable


def test_an_unknown_arm_looks_the_same_in_every_process():
    code = "from dianet_lab.plots import arm_style; print(*arm_style('my arm'))"
    other = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": "7"}
    )
    assert other.stdout.split() == [*arm_style("my arm")]
    assert arm_style("my arm").color not in {style.color for style in ARM_STYLES.values()}


def test_no_two_arms_of_the_lab_look_the_same():
    arms = {name: look for name, look in ARM_STYLES.items() if name not in ("shared", "per block", "untrained")}
    assert len(set(arms.values())) == len(arms)


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
