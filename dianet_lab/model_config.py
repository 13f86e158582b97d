"""What network a run is asked for: the backbone, the attention unit, and who owns it."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from dianet_lab.attention.cbam import PARTS
from dianet_lab.attention.recurrent import ACTIVATIONS, MEMORIES, SHIFTED
from dianet_lab.attention.registry import list_units, unit_class, unit_options
from dianet_lab.attention.unit import SQUEEZES
from dianet_lab.backbones.layers import NORMS
from dianet_lab.backbones.preresnet import OUTER_NORMS, PROJECTIONS
from dianet_lab.backbones.registry import BACKBONES, blocks_per_stage, get_backbone
from dianet_lab.backbones.resnet import BLOCKS
from dianet_lab.config_base import Config, Positive
from dianet_lab.errors import ConfigError, unknown_name


class AttentionConfig(Config):
    """The attention unit and who owns it.

    ``unit="none"`` is the plain backbone; ``unit="se", sharing="none", reduction=16`` is SENet; the defaults are
    DIANet. A unit declares the fields it reads; setting another one is an error.
    """

    unit: str = Field("lstm", description="a name in the unit registry, or none for the plain backbone")
    sharing: Literal["stage", "none"] | Annotated[int, Field(ge=1, strict=True)] = Field(
        "stage", description="one unit a stage, one a block, one a k"
    )
    share_from: Annotated[int, Field(ge=0)] = Field(0, description="the first blocks of a stage that have no unit")
    tied_init: bool = Field(False, description="whether the units of a stage start from the same values")
    memory: Literal[MEMORIES] = Field("carried", description="what of the state reaches the next block")
    layer_embedding: bool = Field(False, description="whether each block adds a learned vector to the gates")
    reduction: Positive | None = Field(4, description="r: hidden width max(1, C // r); None for no bottleneck")
    hidden: Positive | None = Field(None, description="the hidden width itself, in place of C // r")
    activation: Literal[tuple(ACTIVATIONS)] = Field("sigmoid", description="h = o * activation(c)")
    cells: Positive = Field(1, description="stacked LSTM cells")
    input_gate: bool = Field(True, description="whether the LSTM has one; without it i = 1")
    forget_gate: bool = Field(True, description="whether the LSTM has one; without it f = 1")
    output_gate: bool = Field(True, description="whether the LSTM has one; without it o = 1")
    squeeze: Literal[tuple(SQUEEZES)] = Field("avg", description="how a branch becomes one number a channel")
    kernel: Positive | None = Field(None, description="odd kernel size of ECA or CBAM; None for the published one")
    parts: Literal[PARTS] = Field("both", description="of CBAM")
    gate_start: float | None = Field(None, gt=0, description="where the gate starts; None for the unit's own start")
    neutral: bool = Field(False, description="whether the gate starts at exactly 1")

    @field_validator("unit")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in list_units():
            raise unknown_name("attention unit", value, list_units())
        return value

    @field_validator("sharing", mode="before")
    @classmethod
    def _one_name_for_one_wiring(cls, value: Any) -> Any:
        """A unit for each single block is ``none``: the same network must have the same run id."""
        return "none" if value == 1 and not isinstance(value, bool) else value

    @model_validator(mode="after")
    def _only_declared_options(self) -> Self:
        declared = unit_options(self.unit)
        for name, value in self.asked().items():
            if name != "unit" and name not in declared:
                reads = f"reads only {', '.join(declared)}" if declared else "reads no option"
                raise ConfigError(f"AttentionConfig.{name}: got {value!r}, but unit {self.unit!r} {reads}")
        if self.reduction is None and "reduction" in declared and not unit_class(self.unit).reduction_optional:
            raise ConfigError(
                f"AttentionConfig.reduction: got None, but unit {self.unit!r} needs a number of at least 1"
            )
        return self

    @model_validator(mode="after")
    def _one_name_for_one_thing(self) -> Self:
        """Two fields that set the same thing would be two ids for one network, or one of them would do nothing."""
        if self.hidden is not None and "reduction" in self.asked():
            raise ConfigError("AttentionConfig.hidden: is the hidden width itself; leave reduction out")
        if self.neutral and self.gate_start is not None:
            raise ConfigError("AttentionConfig.neutral: the gate starts at exactly 1; leave gate_start out")
        if self.tied_init and self.sharing == "stage":
            raise ConfigError("AttentionConfig.tied_init: a stage with one unit has nothing to tie; set sharing")
        if self.neutral and self.activation == "relu":
            raise ConfigError(
                "AttentionConfig.neutral: with activation 'relu' it has no gradient and would never learn"
            )
        if self.neutral and self.activation in SHIFTED:
            raise ConfigError(
                f"AttentionConfig.neutral: with activation {self.activation!r} the gate can't start at exactly 1"
            )
        unread = {"channel": ("kernel",), "spatial": ("reduction", "hidden")}.get(self.parts, ())
        for name in unread:
            if name in self.asked():
                raise ConfigError(f"AttentionConfig.{name}: the {self.parts} part of CBAM alone does not read it")
        if self.kernel is not None and self.kernel % 2 == 0:
            raise ConfigError(f"AttentionConfig.kernel: got {self.kernel}, expected an odd size")
        return self

    def check_fits(self, blocks: int, stage: str) -> None:
        """Raise ConfigError where a stage of so many blocks, called ``stage``, can't be shared in this way."""
        served = blocks - self.share_from
        if served < 1:
            raise ConfigError(
                f"AttentionConfig.share_from: got {self.share_from}, but {stage} has {blocks} blocks, and one at least "
                "must have a unit"
            )
        if isinstance(self.sharing, int) and self.sharing >= served:
            raise ConfigError(
                f"AttentionConfig.sharing: got {self.sharing}, but {served} blocks of {stage} have a unit; "
                "one unit for all of them is 'stage'"
            )

    def options(self) -> dict[str, Any]:
        """The keyword arguments of :class:`~dianet_lab.attention.stage.StageAttention`."""
        return {name: getattr(self, name) for name in ("unit", *unit_options(self.unit))}


PLAIN = AttentionConfig(unit="none")
SENET = AttentionConfig(unit="se", sharing="none", reduction=16)
DIANET = AttentionConfig()
ARMS = {"plain": PLAIN, "SE per block": SENET, "DIA": DIANET}
"""The three arms that the field compares; pytorchcv has networks with each."""


class ModelConfig(Config):
    """A residual network and its attention. Channels and classes come from the data, not from here.

    A backbone declares the fields it reads; setting another one is an error.
    """

    backbone: Literal[tuple(BACKBONES)] = "resnet"
    depth: Positive = Field(20, description="6n + 2 with basic, 9n + 2 with bottleneck blocks, 6n + 4 of a Wide ResNet")
    block: Literal[tuple(BLOCKS)] = "basic"
    width: Positive = Field(16, description="channels of the stem; those of the stages double at each further stage")
    widen: Positive = Field(4, description="first stage over stem, of a Wide ResNet or a ResNeXt")
    dropout: float = Field(0.0, ge=0, lt=1, description="between the convolutions of a Wide ResNet's blocks")
    cardinality: Positive = Field(8, description="groups of a ResNeXt's 3x3 convolutions")
    base_width: Positive = Field(32, description="channels of such a group in the first stage")
    branch_norm: bool = Field(False, description="a norm at the end of each pre-activation branch")
    projection: Literal[PROJECTIONS] = Field("preactivated", description="what a pre-activation projection reads")
    outer_norm: Literal[OUTER_NORMS] = Field("last", description="where a PreResNet has its norm outside the blocks")
    skip: bool = Field(True, description="skip connections")
    norm: Literal[NORMS] = Field("batch", description="none: no norm, and no bias in its place")
    branch_gain: float = Field(1.0, ge=0, description="initial gamma of each branch's last norm")
    attention: AttentionConfig = AttentionConfig()

    @model_validator(mode="after")
    def _only_declared_options(self) -> Self:
        declared = get_backbone(self.backbone).options
        for name, value in self.asked().items():
            if name not in ("backbone", "depth", "branch_gain", "attention", *declared):
                reads = f"backbone {self.backbone!r} reads only {', '.join(declared)}"
                raise ConfigError(f"ModelConfig.{name}: got {value!r}, but {reads}")
        if self.norm == "none" and (self.branch_gain != 1 or self.branch_norm):
            name = "branch_norm" if self.branch_norm else "branch_gain"
            raise ConfigError(f"ModelConfig.{name}: got {getattr(self, name)}, but norm is 'none'")
        if not self.skip and self.projection != "preactivated":
            raise ConfigError("ModelConfig.projection: there is none without skip connections; leave it out")
        return self

    @model_validator(mode="after")
    def _sharing_fits_the_stage(self) -> Self:
        self.attention.check_fits(self.blocks_per_stage, "a stage")
        return self

    @property
    def blocks_per_stage(self) -> int:
        """How many blocks a stage has."""
        rule = {"block": self.block} if "block" in get_backbone(self.backbone).options else {}
        return blocks_per_stage(self.backbone, self.depth, **rule)

    def options(self) -> dict[str, Any]:
        """The keyword arguments of the backbone's plan."""
        return {name: getattr(self, name) for name in get_backbone(self.backbone).options}
