import numpy as np
import onnx
import onnxruntime
import pytest

from handful.export.graph import Graph
from handful.export.squares import squares
from handful.features import VIEWS, Preprocessing
from handful.features.transforms import prepare_views

VIEW_NAMES = VIEWS["crops"]
TALL = [(170, 2), (33, 31), (80, 64), (77, 41), (301, 60), (121, 80), (120, 80)]
SIZES = [(1, 1), (32, 32), *TALL, *((width, height) for height, width in TALL)]
"""Height and width: smaller and larger than the square, on both sides of where Pillow begins with the columns."""


def opened(preprocessing):
    graph = Graph()
    shown = squares(graph, "picture", preprocessing, VIEW_NAMES)
    size = preprocessing.size
    model = graph.model(
        [onnx.helper.make_tensor_value_info("picture", onnx.TensorProto.UINT8, ["height", "width", 3])],
        [onnx.helper.make_tensor_value_info(shown, onnx.TensorProto.UINT8, [len(VIEW_NAMES), size, size, 3])],
        {},
    )
    onnx.checker.check_model(model, full_check=True)
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize(("fit", "share"), [("crop", 1.0), ("crop", 0.875), ("squash", 1.0), ("pad", 1.0)])
@pytest.mark.parametrize("size", [32, 40])
def test_every_pixel_of_every_view_is_the_one_that_pillow_computes(fit, share, interpolation, size):
    preprocessing = Preprocessing(size, fit, interpolation, (123.7, 116.3, 103.5), (58.4, 57.1, 57.4), share)
    session = opened(preprocessing)
    rng = np.random.default_rng(0)
    for height, width in SIZES:
        noise = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        for picture in (noise, np.where(noise > 127, 255, 0).astype(np.uint8)):
            (found,) = session.run(None, {"picture": picture})
            expected = np.stack(list(prepare_views(picture, preprocessing, VIEW_NAMES)))
            np.testing.assert_array_equal(found, expected, err_msg=f"{height} x {width}")
