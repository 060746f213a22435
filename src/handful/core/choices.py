"""The words that options take."""

from __future__ import annotations

HEADS = ("auto", "ridge", "logistic", "linear", "kernel", "average")
CLASS_WEIGHTS = ("none", "balanced")
VIEWS = ("auto", "plain", "mirror", "crops")
VIEW_USES = ("average", "rows")
FITS = ("auto", "crop", "squash", "pad")
INTERPOLATIONS = ("auto", "bilinear", "bicubic")
INPUTS = ("network", "unit")
ENGINES = ("auto", "fused", "eager", "openvino", "onnxruntime", "compile", "cuda", "mps")
PRECISIONS = ("fp32", "bf16", "int8")
STRATEGIES = ("auto", "best", "features", "freeze", "scratch", "full")
STARTS = ("random", "probe")
OPTIMIZERS = ("sgd", "adamw")
MOMENTUM_FORMS = ("common", "paper")
SCHEDULES = ("constant", "paper", "cosine", "one-cycle")
L2_FORMS = ("common", "paper")
NONLINEARITIES = ("rectifier", "sigmoid", "tanh", "hard-tanh")
KEPT = ("best", "last")
AUGMENTATIONS = ("none", "ksh", "randaugment", "trivialaugment")
POOLINGS = ("max", "l2")
TRACKERS = ("none", "mlflow", "wandb")

LEFT_OPEN = frozenset({"auto", "best"})
"""Strategies that find out which way to take, or take several."""

NOT_STUDIED = frozenset(
    {
        "patience",
        "every",
        "keep",
        "refit",
        "time",
        "tensorboard",
        "track",
        "risk",
        "coverage",
        "miss",
        "folds",
        "repeats",
    }
)
"""Options that a study does not take: it judges every training at the end of its epochs, so nothing may stop one early
by validation or by the clock, and has no use for rules about answers, nor for a tracker of runs. A study's own
`--time` is another."""


NOT_RANKED = frozenset({"backbone", "views", "view_use", "note", "track"})
"""Options that ranking networks does not take: it shows each of them the pictures once, as they are."""
