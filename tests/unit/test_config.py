"""Configurations: what they accept, how they explain a refusal, and what the run id depends on."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dianet_lab.attention.registry import UNITS, unit_options
from dianet_lab.attention.stage import StageAttention
from dianet_lab.backbones.registry import BACKBONES
from dianet_lab.config import AttentionConfig, DataConfig, ModelConfig, RunConfig, TrainConfig, dotted_fields
from dianet_lab.errors import ConfigError
from dianet_lab.profiles import OFFICIAL_RECIPES, PROFILES, get_profile

GOLDEN = json.loads((Path(__file__).parent / "golden_run_ids.json").read_text())

attentions = st.one_of(
    st.just(AttentionConfig(unit="none")),
    st.builds(
        AttentionConfig,
        sharing=st.sampled_from(["stage", "none", 1, 2]),
        memory=st.sampled_from(["carried", "none"]),
        reduction=st.one_of(st.none(), st.integers(1, 32)),
        activation=st.sampled_from(["sigmoid", "tanh", "relu"]),
        cells=st.integers(1, 3),
    ),
)
runs = st.builds(
    RunConfig,
    model=st.builds(ModelConfig, depth=st.sampled_from([20, 38]), width=st.integers(1, 64), attention=attentions),
    data=st.builds(DataConfig, train_size=st.one_of(st.none(), st.integers(1, 500)), augment=st.booleans()),
    train=st.builds(TrainConfig, lr=st.floats(1e-6, 10), epochs=st.integers(1, 400), nesterov=st.booleans()),
    seed=st.integers(0, 2**31),
)


def another_value(kind, name):
    """A valid value of a field that is not its default."""
    field = kind.model_fields[name]
    choices = [value for value in getattr(field.annotation, "__args__", ()) if isinstance(value, str)]
    if name == "sharing":
        return "none"
    if choices:
        return next(value for value in choices if value != field.default)
    if isinstance(field.default, bool):
        return not field.default
    return 0.5 if isinstance(field.default, float) or "float" in str(field.annotation) else 3


def base_that_reads(field):
    """A model for which changing ``field`` alone makes a valid model."""
    backbone = next((name for name, kind in BACKBONES.items() if field in kind.options), "resnet")
    depth = 22 if backbone == "wide_resnet" else 20 if field == "block" else 38
    unit = next((name for name in UNITS if field in unit_options(name)), "lstm")
    sharing = "none" if field == "tied_init" else "stage"
    return {"backbone": backbone, "depth": depth, "attention": {"unit": unit, "sharing": sharing}}


class TestRefusals:
    """A refusal names the field, the value given, what is allowed and the closest valid name."""

    @pytest.mark.parametrize(
        ("build", "says"),
        [
            (
                lambda: AttentionConfig(unit="ltsm"),
                ["unknown attention unit 'ltsm'", "did you mean 'lstm'?", "none, random"],
            ),
            (lambda: AttentionConfig(sharin="stage"), ["AttentionConfig.sharin", "did you mean 'sharing'?"]),
            (lambda: AttentionConfig(activation="tanhh"), ["activation", "'tanhh'", "did you mean 'tanh'?", "'relu'"]),
            (
                lambda: AttentionConfig(sharing="all"),
                ["AttentionConfig.sharing: got 'all', expected 'stage' or 'none' or a valid integer"],
            ),
            (lambda: AttentionConfig(reduction=0), ["reduction", "got 0", "greater than or equal to 1"]),
            (
                lambda: AttentionConfig(unit="se", memory="none"),
                ["memory", "'none'", "'se' reads only sharing, share_from, tied_init, reduction"],
            ),
            (lambda: AttentionConfig(unit="none", cells=2), ["cells", "unit 'none' reads no option"]),
            (lambda: AttentionConfig(unit="se", reduction=None), ["reduction", "needs a number"]),
            (lambda: AttentionConfig(hidden=8, reduction=8), ["hidden", "leave reduction out"]),
            (lambda: AttentionConfig(neutral=True, gate_start=0.5), ["neutral", "leave gate_start out"]),
            (lambda: AttentionConfig(neutral=True, activation="relu"), ["neutral", "'relu'", "never learn"]),
            (lambda: AttentionConfig(neutral=True, activation="sigmoid(c-4)"), ["neutral", "exactly 1"]),
            (lambda: AttentionConfig(unit="cbam", parts="spatial", reduction=8), ["reduction", "spatial part"]),
            (lambda: AttentionConfig(unit="cbam", parts="channel", kernel=3), ["kernel", "channel part"]),
            (lambda: AttentionConfig(tied_init=True), ["tied_init", "nothing to tie"]),
            (lambda: AttentionConfig(unit="eca", kernel=4), ["kernel", "got 4", "odd"]),
            (lambda: AttentionConfig(gate_start=0), ["gate_start", "greater than 0"]),
            (lambda: ModelConfig(attention={"share_from": 3}), ["share_from", "got 3", "a stage has 3 blocks"]),
            (
                lambda: ModelConfig(attention={"share_from": 1, "sharing": 2}),
                ["sharing", "got 2", "2 blocks of a stage"],
            ),
            (lambda: ModelConfig(backbone="resnxt"), ["backbone", "did you mean 'resnext'?"]),
            (lambda: ModelConfig(widen=2), ["widen", "'resnet' reads only width, block, skip, norm"]),
            (lambda: ModelConfig(backbone="resnext", block="bottleneck"), ["block", "'resnext' reads only"]),
            (lambda: ModelConfig(branch_norm=True), ["branch_norm", "'resnet' reads only"]),
            (lambda: ModelConfig(norm="none", branch_gain=0), ["branch_gain", "norm is 'none'"]),
            (lambda: ModelConfig(backbone="wide_resnet", depth=20), ["got 20", "6n + 4", "16 and 22"]),
            (lambda: ModelConfig(depth=21), ["depth", "got 21", "6n + 2", "20 and 26"]),
            (lambda: ModelConfig(depth=26, block="bottleneck"), ["9n + 2", "20 and 29"]),
            (lambda: ModelConfig(depth=7), ["got 7", "8 and 14"]),
            (lambda: ModelConfig(attention={"unti": "se"}), ["unti", "did you mean 'unit'?"]),
            (lambda: TrainConfig(lr=-1), ["TrainConfig.lr", "got -1", "greater than 0"]),
            (lambda: TrainConfig(epochs=10, milestones=(5, 20)), ["milestones", "20", "last epoch (9)"]),
            (lambda: TrainConfig(milestones=(9, 5)), ["increasing"]),
            (lambda: TrainConfig(schedule="cosine", milestones=(5,)), ["only schedule 'step'"]),
            (lambda: TrainConfig(gamma=0.5), ["gamma", "does nothing without milestones"]),
            (lambda: TrainConfig(epochs=2, warmup_epochs=2), ["warmup_epochs", "less than 2"]),
            (lambda: TrainConfig(lr=float("nan")), ["TrainConfig.lr", "finite"]),
            (lambda: DataConfig(source="digits", path="x"), ["path", "'parquet'", "'digits'"]),
            (lambda: DataConfig(source="parquet"), ["path", "needs the folder"]),
            (lambda: DataConfig(flip=True), ["flip", "a mirrored digit is no digit"]),
            (lambda: RunConfig(seed=-1), ["RunConfig.seed", "-1"]),
            (lambda: RunConfig().override({"model.atention.unit": "se"}), ["did you mean 'model.attention.unit'?"]),
            (lambda: RunConfig.from_text("- 1"), ["expected a mapping", "list"]),
            (lambda: RunConfig.from_text("a: [1"), ["no YAML or JSON"]),
            (lambda: get_profile("quik"), ["unknown profile 'quik'", "did you mean 'quick'?"]),
        ],
    )
    def test_names_field_value_and_what_is_allowed(self, build, says):
        with pytest.raises(ConfigError) as caught:
            build()
        for part in says:
            assert part in str(caught.value)

    def test_nothing_can_be_changed_afterwards(self):
        with pytest.raises(Exception, match="frozen"):
            RunConfig().seed = 1

    @pytest.mark.parametrize("unit", UNITS)
    def test_a_unit_accepts_every_option_that_it_declares(self, unit):
        for name in unit_options(unit):
            value = another_value(AttentionConfig, name)
            needed = {"sharing": "none"} if name == "tied_init" else {}
            config = AttentionConfig(unit=unit, **needed, **{name: value})
            assert config.options()[name] == value
            options = {key: kept for key, kept in config.options().items() if key != "unit"}
            StageAttention(8, 5, unit, **options)  # the classes take what they declare


class TestRoundTrips:
    @given(runs)
    def test_yaml_json_and_dictionary_give_the_same_configuration_back(self, run):
        assert RunConfig.from_text(run.to_yaml()) == run
        assert RunConfig.from_text(run.to_json()) == run
        assert RunConfig(**run.model_dump()) == run

    def test_every_dotted_field_can_be_overridden_by_its_own_value(self):
        run = RunConfig()
        for path in dotted_fields(RunConfig):
            value = run
            for part in path.split("."):
                value = getattr(value, part)
            assert run.override({path: value}) == run

    def test_an_override_changes_that_field_only(self):
        changed = RunConfig().override({"model.attention.reduction": 8, "train.lr": 1e-1})
        assert changed.asked() == {"model": {"attention": {"reduction": 8}}}


class TestRunId:
    @pytest.mark.parametrize("row", GOLDEN, ids=[row["run_id"] for row in GOLDEN])
    def test_stays_what_it_was(self, row):
        """If this fails, stored runs would be trained again: add a field with a default, or raise ID_FORMAT."""
        assert RunConfig(**row["config"]).run_id == row["run_id"]

    @pytest.mark.parametrize("path", sorted(set(dotted_fields(RunConfig)) - {"data.path", "model.backbone"}))
    def test_changes_with_every_single_field(self, path):
        model_fields = {
            f"{prefix}{name}": another_value(kind, name)
            for prefix, kind in (("model.", ModelConfig), ("model.attention.", AttentionConfig))
            for name in kind.model_fields
            if name not in ("attention", "backbone")
        }
        other = model_fields | {
            "model.depth": 26,
            "model.attention.unit": "se",
            "data.source": "cifar10",
            "data.fingerprint": "0" * 32,
            "data.train_size": 7,
            "data.val_size": 7,
            "data.test_limit": 7,
            "data.augment": False,
            "data.flip": False,
            "train.epochs": 7,
            "train.batch_size": 7,
            "train.lr": 0.2,
            "train.momentum": 0.8,
            "train.nesterov": True,
            "train.weight_decay": 0.0,
            "train.attention_lr_scale": 0.5,
            "train.schedule": "cosine",
            "train.milestones": (5,),
            "train.gamma": 0.2,
            "train.warmup_epochs": 3,
            "train.label_smoothing": 0.1,
            "train.precision": "mixed",
            "train.eval_every": 3,
            "seed": 1,
        }
        base = RunConfig(model=base_that_reads(path.rpartition(".")[2]))
        if path == "data.flip":
            base = base.override({"data.source": "cifar10"})
        if path == "data.fingerprint":
            base = RunConfig(data={"source": "parquet", "path": "x", "fingerprint": "1" * 32})
        if path == "train.gamma":
            base = base.override({"train.milestones": (5,)})
        assert base.override({path: other[path]}).run_id != base.run_id

    def test_one_wiring_has_one_name(self):
        """A unit for each single block is `none`; one for at least all blocks must be called `stage`."""
        one, none = (RunConfig(model={"attention": {"sharing": sharing}}) for sharing in (1, "none"))
        assert one.run_id == none.run_id
        with pytest.raises(ConfigError, match="is 'stage'"):
            ModelConfig(depth=20, attention=AttentionConfig(sharing=3))

    def test_a_number_may_be_written_in_any_way(self):
        assert (
            RunConfig(train={"lr": 1e-1, "epochs": 10.0}).run_id == RunConfig(train={"lr": "0.1", "epochs": 10}).run_id
        )

    def test_a_default_that_is_spelled_out_changes_nothing(self):
        assert RunConfig(**RunConfig().model_dump()).run_id == RunConfig().run_id

    def test_data_counts_by_content_not_by_path(self, tmp_path):
        ids = []
        for name, content in (("a", b"one"), ("b", b"one"), ("c", b"two")):
            (tmp_path / name).mkdir()
            (tmp_path / name / "train-0.parquet").write_bytes(content)
            ids.append(RunConfig(data=DataConfig(source="parquet", path=str(tmp_path / name))).run_id)
        assert ids[0] == ids[1] != ids[2]

    def test_another_folder_means_another_fingerprint(self, tmp_path):
        for name in ("a", "b"):
            (tmp_path / name).mkdir()
            (tmp_path / name / "train-0.parquet").write_bytes(name.encode())
        run = RunConfig(data=DataConfig(source="parquet", path=str(tmp_path / "a")))
        moved = run.override({"data.path": str(tmp_path / "b")})
        assert moved.data.fingerprint != run.data.fingerprint

    def test_a_stored_configuration_can_be_read_where_the_data_are_not(self):
        data = DataConfig(source="parquet", path="nowhere", fingerprint="0" * 32)
        assert RunConfig.from_text(RunConfig(data=data).to_yaml()).data == data


class TestProfiles:
    def test_there_are_five(self):
        assert list(PROFILES) == ["smoke", "quick", "digits", "cifar10", "paper"]

    def test_the_official_recipes_are_those_of_the_repository(self):
        """paper-facts, section 6: epochs, 0-based steps, gamma, weight decay; lr 0.1, momentum 0.9, batch 128."""
        table = {name: (r.epochs, r.milestones, r.gamma, r.weight_decay) for name, r in OFFICIAL_RECIPES.items()}
        assert table == {
            "resnet": (180, (60, 120), 0.1, 1e-4),
            "preresnet": (164, (81, 122), 0.1, 1e-4),
            "wide_resnet": (200, (80, 120, 160), 0.2, 5e-4),
            "resnext": (300, (150, 225), 0.1, 5e-4),
        }
        for recipe in OFFICIAL_RECIPES.values():
            assert (recipe.lr, recipe.momentum, recipe.batch_size, recipe.warmup_epochs) == (0.1, 0.9, 128, 0)
            assert not recipe.label_smoothing and not recipe.nesterov

    def test_a_schedule_keeps_its_shape_at_another_length(self):
        recipe = OFFICIAL_RECIPES["resnet"].with_epochs(18)
        assert (recipe.epochs, recipe.milestones) == (18, (6, 12))

    @pytest.mark.parametrize("recipe", OFFICIAL_RECIPES)
    def test_any_length_is_possible(self, recipe):
        for epochs in range(1, 12):
            assert OFFICIAL_RECIPES[recipe].with_epochs(epochs).epochs == epochs

    def test_quick_is_a_narrow_network_of_six_blocks_a_stage_with_three_updates_an_epoch_and_three_seeds(self):
        quick = get_profile("quick")
        assert (quick.base.model.depth, quick.base.model.width, quick.base.model.blocks_per_stage) == (38, 8, 6)
        assert quick.base.train.epochs == 60
        assert quick.base.data.train_size // quick.base.train.batch_size == 3
        assert quick.seeds == 3 and quick.demonstration

    @pytest.mark.parametrize("name", PROFILES)
    def test_every_one_names_the_smallest_difference_that_matters_and_why(self, name):
        profile = get_profile(name)
        assert 0 < profile.delta <= 0.01 and profile.why
        assert f"{'half a' if profile.delta == 0.005 else 'one'} point" in profile.why

    @pytest.mark.parametrize("name", PROFILES)
    def test_every_one_tries_each_rate_once_and_has_validation_images_to_choose_with(self, name):
        profile = get_profile(name)
        assert list(profile.rates) == sorted(set(profile.rates)) and profile.base.train.lr in profile.rates
        assert profile.base.data.val_size > 0 and profile.tuning_seeds > 0 and 0 < profile.few <= profile.seeds
