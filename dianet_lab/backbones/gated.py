"""The gated sum of a training step, which keeps no copy of the branch.

A gate's gradient needs the branch, which nothing else needs afterwards. But the branch is a norm's output, that is
``scale * source + offset`` channel by channel, and the norm keeps its input for its own gradient anyway. So the sum
over space that makes the gate's gradient is taken of ``source`` instead.

In low precision this loses digits where a channel's mean is large against its deviation before the norm (bfloat16: an
error of 0.6 % at a ratio of 3 and 5 % at 30). In trained networks here the ratio is about 1.
"""

import torch
from torch import Tensor, nn
from torch.nn.modules.module import _has_any_global_hook


class GatedSum(torch.autograd.Function):
    """``relu(branch * gate + shortcut)``, the ReLU only where asked, with ``branch = scale * source + offset``.

    ``branch``, ``shortcut`` and ``source`` are ``[B, C, H, W]``, ``gate`` is ``[B, C, 1, 1]``, ``scale`` and ``offset``
    are ``[C]``. The gradient flows to branch, gate and shortcut; the other three only say what the branch was.
    """

    @staticmethod
    def forward(ctx, branch, gate, shortcut, source, scale, offset, relu: bool) -> Tensor:
        out = torch.addcmul(shortcut, branch, gate)
        if relu:
            out.relu_()
        ctx.relu = relu
        ctx.save_for_backward(gate, source, scale, offset, *([out] if relu else []))
        return out

    @staticmethod
    def backward(ctx, grad: Tensor):
        if torch.is_grad_enabled():  # once_differentiable would let a Hessian-vector product through, silently wrong
            raise RuntimeError(
                "a training step of this network has no second derivatives: use eval(), or put a forward hook on its "
                "blocks, with which the step is written out"
            )
        gate, source, scale, offset, *out = ctx.saved_tensors
        if ctx.relu:
            grad = torch.ops.aten.threshold_backward(grad, out[0], 0)
        space, single = (2, 3), scale.dtype  # sums over space are taken in the precision of the norm
        moment = (grad * source).sum(space, dtype=single)
        slope = torch.addcmul(offset * grad.sum(space, dtype=single), scale, moment)
        return grad * gate, slope[:, :, None, None].to(gate.dtype), grad, None, None, None, None


def combine(branch: Tensor, gate: Tensor | None, shortcut: Tensor | None) -> Tensor:
    """``branch * gate + shortcut``, where either may be missing."""
    if gate is None:
        return branch if shortcut is None else torch.add(branch, shortcut)
    # One pass over the activation in place of a product that autograd would have to keep and then a sum.
    return branch * gate if shortcut is None else torch.addcmul(shortcut, branch, gate)


Affine = tuple[Tensor, Tensor, Tensor]
"""``source [B, C, H, W]``, ``scale`` and ``offset [C]`` that a branch is made of, without their gradients."""


def gated_sum(
    branch: Tensor, gate: Tensor | None, shortcut: Tensor | None, affine: Affine | None, relu: bool
) -> Tensor:
    """:func:`combine` and, with ``relu``, its ReLU; by :class:`GatedSum` where ``affine`` says what the branch is."""
    if affine is not None and shortcut is not None and is_trained_channel_gate(gate):
        return GatedSum.apply(branch, gate, shortcut, *affine, relu)
    x = combine(branch, gate, shortcut)
    return x.relu_() if relu else x


def normed(norm: nn.BatchNorm2d, source: Tensor) -> tuple[Tensor, Affine]:
    """A BatchNorm in training mode: its output, and what that is made of."""
    norm.num_batches_tracked.add_(1)
    weight, bias = norm.weight, norm.bias
    branch, mean, inverse = torch.native_batch_norm(
        source, weight, bias, norm.running_mean, norm.running_var, True, norm.momentum, norm.eps
    )
    with torch.no_grad():
        scale = weight * inverse
        return branch, (source.detach(), scale, torch.addcmul(bias, mean, scale, value=-1))


def is_trained_channel_gate(gate: Tensor | None) -> bool:
    """Whether a gate is ``[B, C, 1, 1]`` and has a gradient to be made."""
    return gate is not None and gate.requires_grad and gate.shape[2:].numel() == 1


def saves_memory(block: nn.Module, norm: nn.Module | None) -> bool:
    """Whether a block's step can run on :class:`GatedSum`: a training step of a branch that ends in a BatchNorm.

    Not under a compiler, which has its own ways, nor where a hook waits for a module that would not be called.

    Args:
        norm: what ends the branch.
    """
    if type(norm) is not nn.BatchNorm2d or not norm.training or not torch.is_grad_enabled():
        return False  # a SyncBatchNorm, for example, has its own way to the statistics
    usual = norm.affine and norm.track_running_stats and norm.momentum is not None
    if not usual or torch.compiler.is_compiling() or _has_any_global_hook():
        return False
    return not any(map(has_hooks, block.modules()))


def has_hooks(module: nn.Module) -> bool:
    """Whether anything waits for a call of ``module`` itself, forward or backward."""
    kinds = (module._forward_hooks, module._forward_pre_hooks, module._backward_hooks, module._backward_pre_hooks)
    return any(kinds)
