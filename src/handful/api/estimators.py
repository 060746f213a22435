"""handful as scikit-learn's estimators: a classifier and a transformer of pictures; imports scikit-learn.

Underneath is the engine of `handful.train`, without a test part: who uses scikit-learn holds pictures out with its own
splitters, and everything that `fit` is given is learnt from.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d

from handful import export
from handful.api.data import as_pictures
from handful.api.learning import answers, learn, open_eyes, see
from handful.api.prediction import Classifier
from handful.core.config import (
    FeaturesConfig,
    FinetuneConfig,
    HeadConfig,
    RunConfig,
    TrainConfig,
    TransferConfig,
    option_fields,
)
from handful.core.records import Evaluation, FeatureArray, FloatArray
from handful.images import from_labelled

Labels = npt.NDArray[Any]


class ImageClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A classifier of pictures for scikit-learn: `cross_val_score`, `GridSearchCV`, `Pipeline`, `clone`.

    Pictures, here called X, are a list of paths, of Pillow's pictures or of arrays, uint8 (H, W, 3) each; one array,
    uint8 (N, H, W, 3); or anything else that `handful.train` takes and has no path. `fit` learns from all of them: no
    test part is held out.

    Every argument is the option of `handful.train` with its name, default and meaning.

    Attributes:
        classes_: the labels, sorted, as `y` had them.
        classifier_: the trained model, as `handful.load` gives it.
        held_out_: figures on the pictures that were learnt from, by models that did not see the picture. Choices were
            made with them, so they are a little too good. None where no class has two that are not copies or of one
            group.

    Example:
        >>> from sklearn.model_selection import cross_val_score
        >>> cross_val_score(handful.ImageClassifier(head="ridge"), paths, labels)  # doctest: +SKIP
    """

    classes_: Labels
    classifier_: Classifier
    held_out_: Evaluation | None

    def __init__(
        self,
        *,
        backbone: str = FeaturesConfig.backbone,
        strategy: str = TransferConfig.strategy,
        freeze: str = TransferConfig.freeze,
        head: str = HeadConfig.head,
        class_weights: str = HeadConfig.class_weights,
        size: int | None = FeaturesConfig.size,
        views: str = FeaturesConfig.views,
        epochs: int = FinetuneConfig.epochs,
        lr: float | None = FinetuneConfig.lr,
        time: str | None = FinetuneConfig.time,
        weights: str | None = RunConfig.weights,
        seed: int = RunConfig.seed,
        threads: int | None = RunConfig.threads,
    ) -> None:
        self.backbone = backbone
        self.strategy = strategy
        self.freeze = freeze
        self.head = head
        self.class_weights = class_weights
        self.size = size
        self.views = views
        self.epochs = epochs
        self.lr = lr
        self.time = time
        self.weights = weights
        self.seed = seed
        self.threads = threads

    def fit(self, X: Any, y: Any = None, *, groups: Any = None) -> Self:  # noqa: N803
        """Learns from all the pictures.

        Args:
            X: N pictures; see the class.
            y: (N,), their labels, numbers or texts; left out where X has labels of its own.
            groups: (N,), equal for pictures that belong together, such as those of one patient: choices within the fit
                never hold out a part of them. For the splits of scikit-learn pass them to its splitters too. A data set
                with labels of its own has a column for them.

        Raises:
            ValueError: labels that are none, one class only, or groups without labels.
            ConfigError: an option that cannot work.
            DataError: pictures that cannot be used as they are.
            WeightsError: pre-trained weights that are not at hand.
        """
        config = _config(self, max_unreadable=0.0)
        together = None if groups is None else [str(value) for value in groups]
        if y is None:
            if together is not None:
                raise ValueError("groups were given and y was not; a data set with labels has a column named group.")
            data = from_labelled(X)
            self.classes_ = np.array(sorted({picture.class_name for picture in data.layout.placed}))
        else:
            labels = _labels(y)
            self.classes_ = np.unique(labels)
            data = as_pictures(X, labels=[str(value) for value in labels.tolist()], groups=together)
        learnt = learn(data, config)
        self.classifier_, self.held_out_ = Classifier(learnt.model), learnt.held_out
        return self

    def predict_proba(self, X: Any) -> FloatArray:  # noqa: N803
        """Returns float64 (N, C): the probabilities of pictures, rows sum to 1, columns in the order of `classes_`.

        Raises:
            DataError: a picture cannot be read.
        """
        check_is_fitted(self)
        model = self.classifier_.model
        columns = [model.classes.index(str(value)) for value in self.classes_.tolist()]
        return answers(model, as_pictures(X), threads=self.threads)[:, columns]

    def predict(self, X: Any) -> Labels:  # noqa: N803
        """Returns (N,): the most probable label of each picture; raises as `predict_proba` does."""
        check_is_fitted(self)
        best: Labels = self.classes_[self.predict_proba(X).argmax(axis=1)]
        return best

    def __getstate__(self) -> dict[str, Any]:
        """Returns what pickling keeps: the model as the files of a bundle."""
        state: dict[str, Any] = super().__getstate__()
        if "classifier_" in state:
            state = {**state, "classifier_": export.pack(state["classifier_"].model)}
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        if "classifier_" in state:
            state = {**state, "classifier_": Classifier(export.unpack(state["classifier_"]))}
        super().__setstate__(state)

    def __sklearn_tags__(self) -> Any:
        return _of_pictures(super().__sklearn_tags__())


class FeatureExtractor(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """A transformer from pictures to the features of a fixed pre-trained network, for any of scikit-learn's estimators.

    Pictures are those that `ImageClassifier` takes. `fit` looks at the sizes of the pictures, from which follows how
    they become squares, and at nothing else. Features are kept in handful's cache and computed once.

    Every argument is the option of `handful.train` with its name, default and meaning; the features of several views
    are averaged, those of several networks stand side by side.

    Example:
        >>> from sklearn.linear_model import LogisticRegression
        >>> from sklearn.pipeline import make_pipeline
        >>> make_pipeline(handful.FeatureExtractor(), LogisticRegression()).fit(paths, labels)  # doctest: +SKIP
    """

    def __init__(
        self,
        *,
        backbone: str = FeaturesConfig.backbone,
        size: int | None = FeaturesConfig.size,
        interpolation: str = FeaturesConfig.interpolation,
        views: str = FeaturesConfig.views,
        weights: str | None = RunConfig.weights,
        threads: int | None = RunConfig.threads,
    ) -> None:
        self.backbone = backbone
        self.size = size
        self.interpolation = interpolation
        self.views = views
        self.weights = weights
        self.threads = threads

    def fit(self, X: Any, y: Any = None) -> Self:  # noqa: N803
        """Finds out how pictures become squares.

        Args:
            X: N pictures.
            y: not used.

        Raises:
            ConfigError: an option that cannot work.
            DataError: a picture that cannot be read.
            WeightsError: pre-trained weights that are not at hand.
        """
        self.eyes_ = open_eyes(as_pictures(X), _config(self))
        return self

    def transform(self, X: Any) -> FeatureArray:  # noqa: N803
        """Returns float32 (N, D): the features of pictures.

        Raises:
            DataError: a picture cannot be read.
        """
        check_is_fitted(self)
        return see(self.eyes_, as_pictures(X), _config(self))

    def get_feature_names_out(self, input_features: Any = None) -> Labels:
        """Returns (D,): the network's name and a number, such as "efficientnet-lite0_17".

        Args:
            input_features: not used; pictures have no names of features.
        """
        check_is_fitted(self)
        specs = [eye.network[0] for eye in self.eyes_]
        names = [f"{spec.name}_{number}" for spec in specs for number in range(spec.default_tap.n_features)]
        return np.array(names, dtype=object)

    def __getstate__(self) -> dict[str, Any]:
        """Returns what pickling keeps: not the opened networks."""
        state: dict[str, Any] = super().__getstate__()
        if "eyes_" in state:
            state = {**state, "eyes_": tuple(eye.closed() for eye in state["eyes_"])}
        return state

    def __sklearn_tags__(self) -> Any:
        tags = _of_pictures(super().__sklearn_tags__())
        tags.transformer_tags.preserves_dtype = []
        return tags


def _config(estimator: BaseEstimator, **options: Any) -> TrainConfig:
    """Returns the options of an estimator that differ from the defaults, as if a user had given these alone."""
    declared = option_fields()
    given = {
        name: value for name, value in estimator.get_params(deep=False).items() if value != declared[name][1].default
    }
    return TrainConfig.of({**given, **options})


def _labels(y: Any) -> Labels:
    """Returns (N,) labels of classes.

    Raises:
        ValueError: numbers of a measurement, an empty text, one class only, or labels that look alike as text.
    """
    labels = column_or_1d(y, warn=True)
    check_classification_targets(labels)
    texts = [str(value) for value in np.unique(labels).tolist()]
    if "" in texts:
        raise ValueError("a label is an empty text; give every picture the name of its class.")
    if len(texts) < 2:
        raise ValueError(f"the labels hold one class, {texts}; to tell pictures apart takes at least 2.")
    if len(set(texts)) < len(texts):
        raise ValueError(f"the labels {texts} are different and look the same; give each class a text of its own.")
    return np.asarray(labels)


def _of_pictures(tags: Any) -> Any:
    """Returns scikit-learn's tags of an estimator that takes pictures, not rows of numbers."""
    tags.input_tags.two_d_array = False
    tags.input_tags.string = True
    tags.no_validation = True
    return tags
