"""Options are a promise: their names, kinds, defaults and ranges change here too, or not at all."""

from dataclasses import fields

import pytest

from handful.core.choices import LEFT_OPEN, NOT_RANKED, NOT_STUDIED, STRATEGIES
from handful.core.config import FinetuneConfig, TrainConfig, option_fields
from handful.core.errors import ConfigError

OPTIONS = """
reading.classes tuple[str, ...] ()
reading.per_class int | None None 1..inf
reading.class_level int | None None 1..16
reading.group_by str | None None
reading.labels tuple[str, ...] ()
reading.add tuple[str, ...] ()
reading.drop_small_classes bool False
reading.fps float | None None 0.0001..1000
reading.max_unreadable float 0.05 0..1
reading.max_file_mb float 50.0 0.001..4096
reading.max_megapixels float 64.0 0.001..1000
split.test float 0.2 0.01..4
split.images int | None None 2..inf
features.backbone str 'auto'
features.size int | None None 32..1024
features.fit str 'auto' auto|crop|squash|pad
features.interpolation str 'auto' auto|bilinear|bicubic
features.input str 'network' network|unit
features.views str 'auto' auto|plain|mirror|crops
features.view_use str 'average' average|rows
features.engine str 'auto' auto|fused|eager|openvino|onnxruntime|compile|cuda|mps
features.precision str 'fp32' fp32|bf16|int8
transfer.strategy str 'features' auto|best|features|freeze|scratch|full
transfer.freeze str ''
heads.head str 'auto' checked
heads.class_weights str 'none' none|balanced
finetune.optimizer str 'adamw' sgd|adamw
finetune.momentum float 0.9 0..1
finetune.momentum_form str 'common' common|paper
finetune.lr float | None None 1e-12..1000
finetune.schedule str 'cosine' constant|paper|cosine|one-cycle
finetune.tau int 100 1..1e+09
finetune.alpha float 1.0 0..10
finetune.batch int 32 1..4096
finetune.epochs int 20 1..100000
finetune.l2 float | None None 0..10
finetune.l2_form str 'common' common|paper
finetune.l1 float 0.0 0..10
finetune.decay_biases bool False
finetune.weight_factor str 'head=10' checked
finetune.bias_factor str 'head=10' checked
finetune.start str 'random' random|probe
finetune.nonlinearity str 'rectifier' rectifier|sigmoid|tanh|hard-tanh
finetune.init_scale float 1.0 0.0001..100
finetune.patience int | None 10 1..100000
finetune.every int | None None 1..1e+06
finetune.stop_at float | None None 0.01..1
finetune.keep str 'best' best|last
finetune.refit bool False
finetune.time str | None None checked
finetune.sparsity float 0.0 0..100
finetune.augmentation str 'ksh' none|ksh|randaugment|trivialaugment
finetune.augmented_views int 4 1..256
finetune.mixup float 0.0 0..10
finetune.label_smoothing float 0.0 0..0.9
finetune.ema float 0.0 0..0.99999
finetune.pool str 'max' max|l2
finetune.tensorboard bool False
trust.risk float 0.05 0.001..0.5
trust.coverage float 0.9 0.5..0.999
trust.miss str '' checked
trust.folds int | None None 2..100
trust.repeats int 1 1..100
run.seed int 0 0..4.29497e+09
run.threads int | None None 1..1024
run.offline bool False
run.note str ''
run.track str 'none' none|mlflow|wandb
run.weights str | None None
"""


def told(name):
    """An option as a line: room and name, kind, default, what it may be, and whether a notation of its own is read."""
    room, declared = option_fields()[name]
    allowed = declared.metadata["option"]
    bounded = f"{allowed.low:g}..{allowed.high:g}"
    values = "|".join(allowed.choices) or (bounded if bounded != "-inf..inf" else "")
    words = (f"{room}.{name}", str(declared.type), repr(declared.default), values, "checked" if allowed.check else "")
    return " ".join(filter(None, words))


def test_names_kinds_defaults_and_ranges_are_what_they_were():
    assert [told(name) for name in option_fields()] == OPTIONS.strip().splitlines()


@pytest.mark.parametrize("bound", ["low", "high"])
def test_both_ends_of_a_range_can_be_given(bound):
    for name, (_, declared) in option_fields().items():
        value = getattr(declared.metadata["option"], bound)
        if abs(value) != float("inf"):
            kind = int if str(declared.type).startswith("int") else float
            assert TrainConfig.of({name: kind(value)}).given == {name}


@pytest.mark.parametrize(("option", "wrong", "near"), [("fit", "sqash", "squash"), ("engine", "eagre", "eager")])
def test_a_misspelt_word_names_the_nearest_and_another_does_not(option, wrong, near):
    with pytest.raises(ConfigError, match=rf"{option} is '{wrong}'; expected one of .*\. Did you mean '{near}'\?$"):
        TrainConfig.of({option: wrong})
    with pytest.raises(ConfigError, match=rf"{option} is 'zzzzzz'; expected one of [^?]*$"):
        TrainConfig.of({option: "zzzzzz"})


def test_an_unknown_option_that_is_like_no_other_lists_them_all():
    with pytest.raises(ConfigError, match=r"no option 'zzzzzzzz'\. The options are: classes, per_class, .*, weights"):
        TrainConfig.of({"zzzzzzzz": 1})


def test_what_studies_and_rankings_leave_out_are_options():
    assert set(option_fields()) >= NOT_STUDIED | NOT_RANKED
    training = {declared.name for declared in fields(FinetuneConfig)}
    assert NOT_STUDIED & training == {"patience", "every", "keep", "refit", "time", "tensorboard"}
    assert NOT_STUDIED - training == {"track", "risk", "coverage", "miss", "folds", "repeats"}
    assert {"backbone", "views", "view_use", "note", "track"} == NOT_RANKED
    assert set(STRATEGIES) >= LEFT_OPEN == {"auto", "best"}


def test_the_options_that_were_given_are_known_and_the_others_are_not():
    assert TrainConfig().given == frozenset()
    assert TrainConfig.of({"seed": 0, "fit": "crop"}).given == {"seed", "fit"}


@pytest.mark.parametrize(
    ("option", "value"),
    [("miss", "defective"), ("weight_factor", "head"), ("bias_factor", "head"), ("time", "soon"), ("head", "75-x")],
)
def test_every_notation_is_read_when_it_is_given(option, value):
    with pytest.raises(ConfigError, match=f"^{option} is '{value}'"):
        TrainConfig.of({option: value})


def test_no_limit_on_what_is_missed_is_no_notation():
    assert TrainConfig.of({"miss": ""}).trust.miss == ""
    assert TrainConfig.of({"miss": "defective=0.01"}).trust.miss == "defective=0.01"
