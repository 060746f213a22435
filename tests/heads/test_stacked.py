import numpy as np
import pytest
import scipy.special

from handful.core.records import StackedHead
from handful.heads import predict_proba

NEURONS = {
    "rectifier": lambda x: x * (x > 0),
    "sigmoid": lambda x: 1.0 / (1.0 + np.exp(-x)),
    "tanh": lambda x: 2.0 / (1.0 + np.exp(-2.0 * x)) - 1.0,
    "hard-tanh": lambda x: np.minimum(np.maximum(x, -1.0), 1.0),
}


@pytest.mark.parametrize("nonlinearity", NEURONS)
def test_layers_answer_as_they_are_written_at_their_temperature_for_the_mean_of_the_views(nonlinearity):
    rng = np.random.default_rng(0)
    layers = ((rng.normal(size=(6, 5)), rng.normal(size=5)), (rng.normal(size=(5, 3)), rng.normal(size=3)))
    features = rng.normal(size=(8, 2, 6)).astype(np.float32)
    hidden = NEURONS[nonlinearity](features.astype(float).mean(axis=1) @ layers[0][0] + layers[0][1])
    expected = scipy.special.softmax((hidden @ layers[1][0] + layers[1][1]) / 2.5, axis=1)
    np.testing.assert_allclose(predict_proba(StackedHead(layers, nonlinearity, 2.5), features), expected, atol=1e-12)
