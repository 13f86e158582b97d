"""The learning rate of every update."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dianet_lab.config import TrainConfig
from dianet_lab.profiles import OFFICIAL_RECIPES
from dianet_lab.training.schedule import learning_rate


@pytest.mark.parametrize(("epoch", "rate"), [(0, 0.1), (59, 0.1), (60, 0.01), (119, 0.01), (120, 0.001), (179, 0.001)])
def test_official_steps_fall_at_their_0_based_epochs(epoch, rate):
    assert learning_rate(OFFICIAL_RECIPES["resnet"], epoch, 0, 391) == pytest.approx(rate)
    assert learning_rate(OFFICIAL_RECIPES["resnet"], epoch, 390, 391) == pytest.approx(rate)


@given(st.integers(1, 50), st.integers(0, 10), st.integers(1, 20))
def test_cosine_falls_from_lr_towards_zero_after_the_warm_up(epochs, warmup, steps):
    train = TrainConfig(epochs=epochs + warmup, warmup_epochs=warmup, schedule="cosine", lr=0.3)
    rates = [learning_rate(train, epoch, step, steps) for epoch in range(train.epochs) for step in range(steps)]
    rise, fall = rates[: warmup * steps], rates[warmup * steps :]
    assert rise == sorted(rise) and fall == sorted(fall, reverse=True)
    assert fall[0] == pytest.approx(0.3) and 0 < fall[-1] <= 0.3
    if warmup:
        assert rise[-1] == pytest.approx(0.3)
        assert rise[0] == pytest.approx(0.3 / (warmup * steps))


def test_step_without_milestones_is_constant():
    assert {learning_rate(TrainConfig(epochs=5), epoch, 0, 3) for epoch in range(5)} == {0.1}
