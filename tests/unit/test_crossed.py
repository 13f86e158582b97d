"""The interval for new seeds and new images: its variance against the bootstrap, textbook and degenerate cases."""

import numpy as np
import pytest
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm

from dianet_lab.analysis.crossed import crossed_half_width, crossed_variance, mean_squares


def cells(seeds=12, images=60, seed=0.02, image=0.1, rest=0.3, start=0):
    """Normal differences ``[seed, image]`` with the given standard deviations."""
    random = np.random.RandomState(start)
    parts = random.normal(0, seed, (seeds, 1)) + random.normal(0, image, images)
    return 0.01 + parts + random.normal(0, rest, (seeds, images))


def test_mean_squares_are_those_of_the_two_way_analysis_of_variance():
    import pandas as pd

    made = cells(4, 7)
    long = pd.DataFrame([(s, i, made[s, i]) for s in range(4) for i in range(7)], columns=["s", "i", "d"])
    table = anova_lm(ols("d ~ C(s) + C(i)", long).fit())
    np.testing.assert_allclose(mean_squares(made)[:3], table["sum_sq"] / table["df"])


def test_variance_is_that_of_seed_means_and_image_means_less_what_both_count():
    made = cells()
    by_hand = made.mean(1).var(ddof=1) / 12 + made.mean(0).var(ddof=1) / 60 - mean_squares(made).rest / (12 * 60)
    assert crossed_variance(made) == pytest.approx(by_hand)


def test_variance_is_unbiased():
    """4,000 simulated studies; the true variance of the mean is known. Three Monte Carlo standard errors."""
    random = np.random.RandomState(0)
    made = (
        random.normal(0, 0.1, (4000, 6, 1))
        + random.normal(0, 0.4, (4000, 1, 30))
        + random.normal(0, 0.3, (4000, 6, 30))
    )
    found, truth = crossed_variance(made), 0.1**2 / 6 + 0.4**2 / 30 + 0.3**2 / 180
    assert abs(found.mean() - truth) < 3 * found.std() / np.sqrt(4000)


def test_pigeonhole_bootstrap_counts_the_rest_three_times():
    """Owen, The pigeonhole bootstrap, Annals of Applied Statistics 1 (2007), 386-411.

    Seeds and images are drawn with replacement, apart. Its variance is, in the limit of many draws, that of the seed
    means, plus that of the image means, plus that of the rest, each divided by n and not n - 1. As the rest is in the
    first two already, it counts three times where it should count once: an over-estimate by two of it.
    """
    made, (n, images) = cells(), (12, 60)
    random = np.random.RandomState(1)
    by_seed = random.multinomial(n, np.full(n, 1 / n), 20000) / n
    by_image = random.multinomial(images, np.full(images, 1 / images), 20000) / images
    bootstrap = np.einsum("bs,si,bi->b", by_seed, made, by_image, optimize=True).var(ddof=1)
    squares = mean_squares(made)
    shrink = (n - 1) / n, (images - 1) / images
    limit = (shrink[0] * squares.seed + shrink[1] * squares.image + shrink[0] * shrink[1] * squares.rest) / (n * images)
    assert bootstrap == pytest.approx(limit, rel=3 * np.sqrt(2 / 20000))  # three Monte Carlo standard errors
    assert bootstrap > crossed_variance(made)
    unshrunk = (squares.seed + squares.image + squares.rest) / (n * images)
    assert unshrunk - crossed_variance(made) == pytest.approx(2 * squares.rest / (n * images))


@pytest.mark.parametrize("image", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("seeds", [2, 3, 24])
def test_is_never_sharper_than_the_paired_t_interval(seeds, image):
    made = np.stack([cells(seeds, 40, image=image, start=start) for start in range(200)])
    assert (crossed_variance(made) >= made.mean(-1).var(-1, ddof=1) / seeds - 1e-15).all()
    assert (crossed_half_width(made) >= crossed_half_width(np.repeat(made.mean(-1)[..., None], 40, -1)) - 1e-12).all()


def test_more_seeds_do_not_help_against_the_luck_of_the_images():
    """With images alone varying, 24 seeds are as good as 3."""
    alike = cells(24, 100, seed=0, image=0.5, rest=0)
    assert crossed_half_width(alike) == pytest.approx(crossed_half_width(alike[:3]), rel=1e-6)


def test_arms_that_agree_on_every_image_have_an_interval_of_no_width():
    assert crossed_half_width(np.zeros((3, 10))) == 0
