"""What attention can't be attached to, and that a refusal says why and changes nothing."""

import pytest
import torch
from test_attach import DIANET, ONE, resnet18, thin, timm_net
from torch import nn
from torchvision import models
from torchvision.models.quantization import resnet18 as quantizable_resnet18
from torchvision.models.resnet import BasicBlock

from dianet_lab import AttentionConfig, ModelConfig, build_model
from dianet_lab.attach import attach_attention, detach_attention
from dianet_lab.errors import ConfigError


class OwnForward(BasicBlock):
    def forward(self, x):
        return 2 * super().forward(x)


def with_own_block():
    model = resnet18()
    model.layer4[1] = OwnForward(512, 512)
    return model


def with_patched_block():
    model = resnet18()
    model.layer2[0].forward = model.layer2[0].forward
    return model


def with_hook():
    model = resnet18()
    model.layer4[1].register_forward_hook(lambda *_: None)
    return model


def checkpointed():
    model = timm_net("resnet18")
    model.set_grad_checkpointing()
    return model


def compiled_in_place():
    model = resnet18()
    model.compile(backend="eager")
    return model


def of_two_widths():
    wider = BasicBlock(4, 8, downsample=nn.Conv2d(4, 8, 1))
    return nn.ModuleDict({"body": nn.Sequential(BasicBlock(4, 4), wider)})


class TestErrors:
    @pytest.mark.parametrize(
        ("make", "options", "message"),
        [
            (
                models.squeezenet1_1,
                {},
                "SqueezeNet has no stage.*torchvision.models.resnet.BasicBlock.*features of torch.nn.modules.*Conv2d",
            ),
            (lambda: nn.Linear(2, 2), {}, "Linear has no stage.*timm.models.resnet.Bottleneck, found no nn.Sequential"),
            (quantizable_resnet18, {}, "layer1.0 is a torchvision.*QuantizableBasicBlock with a forward of its own"),
            (with_own_block, {}, "layer4.1 is a .*OwnForward with a forward of its own"),
            (with_patched_block, {}, "layer2.0 is a torchvision.*BasicBlock with a forward of its own"),
            (lambda: nn.Sequential(BasicBlock(4, 4), nn.ReLU()), {}, r"1 is a .*ReLU .* every block of a stage"),
            (with_hook, {}, "layer4.1 has a hook"),
            (of_two_widths, {}, r"body: got branches of \[4, 8\] channels"),
            (resnet18, {"unit": "none"}, "unit: got 'none', expected a unit"),
            (lambda: attach_attention(resnet18(), ONE), {}, "already: layer1.attention, .*detach_attention"),
            (lambda: build_model(ModelConfig(depth=8)), {}, "lab's own: set its attention in ModelConfig"),
            (lambda: torch.compile(resnet18(), backend="eager"), {}, "is compiled: attach .* then compile"),
            (compiled_in_place, {}, "ResNet is compiled"),
            (checkpointed, {}, "timm checkpoints block by block"),
            (lambda: thin((3, 2)), {"share_from": 2}, "share_from: got 2, but body.1 has 2 blocks"),
            (
                lambda: thin((3, 2)),
                {"sharing": 2},
                "sharing: got 2, but 2 blocks of body.1 have a unit.*'stage'",
            ),
        ],
    )
    def test_say_what_is_wrong_and_change_nothing(self, make, options, message):
        model = make()
        before = [(name, type(module)) for name, module in model.named_modules()]
        with pytest.raises(ConfigError, match=message):
            attach_attention(model, AttentionConfig(**options))
        assert [(name, type(module)) for name, module in model.named_modules()] == before

    @pytest.mark.parametrize(
        ("model", "config", "message"),
        [
            (resnet18, ONE, "model: got a function, expected a network; if a function, call it first"),
            (torch.nn.Identity(), "lstm", "config: got 'lstm', expected an AttentionConfig"),
        ],
    )
    def test_say_which_argument_is_of_another_kind(self, model, config, message):
        with pytest.raises(ConfigError, match=message):
            attach_attention(model, config)

    def test_a_distributed_network_is_refused(self, tmp_path):
        """It would not know the new parameters, and they would drift apart."""
        store = torch.distributed.FileStore(str(tmp_path / "store"), 1)
        torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
        try:
            with pytest.raises(ConfigError, match="distributed.*attach or detach first"):
                attach_attention(torch.nn.parallel.DistributedDataParallel(resnet18()), ONE)
        finally:
            torch.distributed.destroy_process_group()

    def test_a_compiled_network_is_not_detached(self):
        with pytest.raises(ConfigError, match="is compiled"):
            detach_attention(torch.compile(attach_attention(resnet18(), ONE), backend="eager"))

    def test_timm_can_not_checkpoint_past_the_attention_until_it_is_detached(self):
        """It runs the blocks that iterating gives: the network would silently be the plain one."""
        model = attach_attention(timm_net("resnet18"), DIANET)
        model.set_grad_checkpointing(False)
        with pytest.raises(ConfigError, match="leave out a stage's attention"):
            model.set_grad_checkpointing()
        detach_attention(model).set_grad_checkpointing()
        assert model.grad_checkpointing
