import numpy as np
import pytest

from handful.heads.spectrum import decompose


@pytest.mark.parametrize("shape", [(30, 8), (8, 30)])
def test_the_parts_give_the_features_back(shape):
    features = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    spectrum = decompose(features)
    again = spectrum.left * spectrum.values @ spectrum.right.T + spectrum.mean
    np.testing.assert_allclose(again, features, atol=1e-5)
    np.testing.assert_allclose(spectrum.left.T @ spectrum.left, np.eye(len(spectrum.values)), atol=1e-8)


def test_mean_square_is_the_mean_squared_length_of_a_centred_row():
    features = np.random.default_rng(0).normal(size=(30, 8)).astype(np.float32)
    centred = features - features.mean(axis=0)
    assert decompose(features).mean_square == pytest.approx(np.square(centred).sum(axis=1).mean(), rel=1e-5)


def test_constant_features_have_no_direction():
    assert decompose(np.ones((5, 4), dtype=np.float32)).values.size <= 1
