"""A run: repeatable to the bit, trained as the equations say, and honest about divergence."""

import math

import pandas as pd
import pytest
import torch

from dianet_lab.config import ModelConfig, RunConfig
from dianet_lab.data.batches import TrainingStream, evaluation_batches
from dianet_lab.data.sources import load_data
from dianet_lab.errors import ConfigError
from dianet_lab.models import build_model
from dianet_lab.training.device import repeatable, resolve_device
from dianet_lab.training.loop import train
from dianet_lab.training.schedule import learning_rate
from dianet_lab.training.trainer import Training

CPU = torch.device("cpu")
TIMES = ["seconds", "images_per_second"]


def run(config, **options):
    return train(config, load_data(config.data, config.seed), device=CPU, **options)


def same(one, other):
    """Bit-identical weights and, times apart, history."""
    weights = one.model.state_dict(), other.model.state_dict()
    histories = [pd.DataFrame(outcome.history).drop(columns=TIMES) for outcome in (one, other)]
    pd.testing.assert_frame_equal(*histories, check_exact=True)
    return all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


class TestRepeatability:
    def test_the_same_run_twice_is_the_same_to_the_bit_whatever_the_global_generator(self, tiny):
        torch.manual_seed(1)
        one = run(tiny)
        torch.manual_seed(2)
        assert same(one, run(tiny))

    def test_holds_for_every_unit(self, tiny, attention):
        config = tiny.model_copy(update={"model": ModelConfig(depth=20, width=4, attention=attention)})
        config = config.override({"train.epochs": 1})
        assert same(run(config), run(config))

    def test_another_seed_is_another_run(self, tiny):
        assert not same_weights(run(tiny), run(tiny.override({"seed": 1})))

    def test_dropout_of_stacked_cells_is_repeatable_too(self, tiny):
        stacked = tiny.override({"model.attention.cells": 2})
        assert same(run(stacked), run(stacked))

    def test_threads_and_the_global_generator_are_as_before(self, tiny):
        torch.set_num_threads(1)
        state = torch.get_rng_state()
        with repeatable(CPU, 2, 0):
            assert torch.get_num_threads() == 2
            torch.rand(1)
        assert torch.get_num_threads() == 1 and torch.equal(torch.get_rng_state(), state)


def same_weights(one, other):
    weights = one.model.state_dict(), other.model.state_dict()
    return all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def by_hand(config: RunConfig) -> dict[str, torch.Tensor]:
    """Weights after the epochs of ``config``, trained by SGD as its equations are written in the PyTorch manual."""
    train, data = config.train, load_data(config.data, config.seed).train
    model = build_model(config.model, data.in_channels, data.num_classes, config.seed).train()
    parameters, velocity = list(model.parameters()), {}
    scales = [train.attention_lr_scale if ".attention." in name else 1 for name, _ in model.named_parameters()]
    stream = TrainingStream(data, train.batch_size, augment=config.data.augment)
    for epoch in range(train.epochs):
        for step, (batch, labels) in enumerate(stream.epoch(config.seed, epoch)):
            rate = learning_rate(train, epoch, step, len(stream))
            losses = -model(batch).log_softmax(1)
            smooth = train.label_smoothing
            loss = (1 - smooth) * losses.gather(1, labels[:, None]).mean() + smooth * losses.mean()
            gradients = torch.autograd.grad(loss, parameters)
            with torch.no_grad():
                for index, (parameter, gradient) in enumerate(zip(parameters, gradients, strict=True)):
                    gradient = gradient + train.weight_decay * parameter
                    old = velocity.get(index)
                    velocity[index] = gradient if old is None else train.momentum * old + gradient
                    move = gradient + train.momentum * velocity[index] if train.nesterov else velocity[index]
                    parameter -= rate * scales[index] * move
    return dict(model.named_parameters())


class TestOptimisation:
    @pytest.mark.parametrize(
        "changes",
        [
            {},
            {"train.momentum": 0.5, "train.weight_decay": 0.5},
            {"train.momentum": 0.8, "train.nesterov": True, "train.schedule": "cosine", "train.warmup_epochs": 1},
            {"train.label_smoothing": 0.2, "train.milestones": (1,), "train.gamma": 0.2},
            {"train.attention_lr_scale": 5.0},
            {"data.augment": False},
        ],
        ids=lambda changes: ", ".join(changes) or "defaults",
    )
    def test_is_that_of_the_equations(self, tiny, changes):
        config = tiny.override({"train.lr": 0.05, **changes})
        trained = dict(run(config).model.named_parameters())
        # In float32 a ReLU near zero can flip; a forgotten option moves some weight by far more than this.
        for name, value in by_hand(config).items():
            assert (trained[name] - value).abs().max() < 2e-3, name

    def test_mixed_precision_is_another_arithmetic_and_still_float32_weights(self, tiny):
        single, mixed = run(tiny), run(tiny.override({"train.precision": "mixed"}))
        assert not same_weights(single, mixed)
        assert all(parameter.dtype == torch.float32 for parameter in mixed.model.parameters())

    def test_the_network_is_channels_last(self, tiny):
        training = Training(tiny, load_data(tiny.data, 0), CPU)
        weight = training.model.stages[1].blocks[1].layer1.conv.weight
        assert weight.is_contiguous(memory_format=torch.channels_last) and not weight.is_contiguous()


class TestHistory:
    def test_has_a_row_an_epoch_and_evaluates_when_due_and_at_the_end(self, tiny):
        outcome = run(tiny.override({"train.epochs": 5, "train.eval_every": 2}))
        rows = pd.DataFrame(outcome.history)
        assert list(rows.epoch) == [1, 2, 3, 4, 5]
        assert list(rows.test_accuracy.notna()) == [False, True, False, True, True]
        assert {"train_loss", "train_accuracy", "val_loss", "val_accuracy", "lr", "seconds"} <= set(rows)

    def test_predictions_are_those_of_the_last_epoch(self, tiny):
        outcome = run(tiny)
        hits = outcome.test.probabilities.argmax(1) == load_data(tiny.data, 0).test.labels
        assert hits.float().mean().item() == pytest.approx(outcome.history[-1]["test_accuracy"])
        torch.testing.assert_close(outcome.test.probabilities.sum(1), torch.ones(50))

    def test_training_accuracy_is_measured_on_the_training_images_as_they_are(self, tiny):
        outcome, data = run(tiny), load_data(tiny.data, 0).train
        with torch.no_grad():
            ((batch, labels),) = evaluation_batches(data, len(data))
            assert outcome.train_accuracy == (outcome.model.eval()(batch).argmax(1) == labels).double().mean().item()

    def test_a_network_learns_the_digits(self):
        """Not a benchmark: 60 updates on 100 images lift a small network well above chance (10 %)."""
        config = RunConfig(
            model={"depth": 8, "width": 8}, data={"train_size": 100}, train={"epochs": 20, "batch_size": 32}
        )
        outcome = run(config)
        assert outcome.history[-1]["test_accuracy"] > 0.5


class TestDivergence:
    def test_is_a_result_and_ends_the_run(self, tiny):
        outcome = run(tiny.override({"train.lr": 1e12, "train.epochs": 6, "train.momentum": 0.0}))
        assert outcome.status == "diverged" and outcome.test is None and len(outcome.history) < 6
        losses = [v for row in outcome.history for k, v in row.items() if k.endswith("_loss")]
        assert not all(math.isfinite(loss) for loss in losses)


class TestDevices:
    def test_auto_is_an_accelerator_or_the_cpu(self):
        assert resolve_device("auto").type == ("cpu" if not torch.accelerator.is_available() else resolve_device().type)

    @pytest.mark.parametrize("name", ["cuda:97", "gpu", "tpu"])
    def test_what_is_not_here_is_explained(self, name):
        with pytest.raises(ConfigError, match="can't be used here.*'auto' or 'cpu'"):
            resolve_device(name)

    @pytest.mark.skipif(not torch.accelerator.is_available(), reason="no accelerator on this machine")
    def test_a_run_on_the_accelerator_finishes(self, tiny):
        place = resolve_device("auto")
        outcome = train(tiny, load_data(tiny.data, 0), device=place)
        assert outcome.status == "finished" and next(outcome.model.parameters()).device.type == place.type
