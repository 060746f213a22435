"""DICOM files as pictures."""

from __future__ import annotations

import io

import numpy as np
import pytest

from handful.images.decode import decode
from handful.images.unreadable import UnreadableError

pydicom = pytest.importorskip("pydicom")

RAMP = np.arange(0, 4096, 273, dtype=np.uint16).reshape(4, 4)


def dicom(values, *, kind="MONOCHROME2", bits=12, **facts):
    """Returns the bytes of a DICOM file."""
    header = pydicom.Dataset()
    header.file_meta = pydicom.dataset.FileMetaDataset()
    header.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    header.file_meta.MediaStorageSOPClassUID = pydicom.uid.SecondaryCaptureImageStorage
    header.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    header.SOPClassUID, header.SOPInstanceUID = header.file_meta.MediaStorageSOPClassUID, "1.2.3"
    header.Rows, header.Columns = values.shape[:2] if values.ndim < 4 else values.shape[1:3]
    header.SamplesPerPixel = 3 if values.shape[-1] == 3 and values.ndim > 2 else 1
    if header.SamplesPerPixel == 3:
        header.PlanarConfiguration = 0
    header.PhotometricInterpretation = kind
    header.BitsAllocated = 8 * values.dtype.itemsize
    header.BitsStored, header.HighBit = bits, bits - 1
    header.PixelRepresentation = int(values.dtype.kind == "i")
    for name, value in facts.items():
        setattr(header, name, value)
    header.PixelData = values.tobytes()
    stream = io.BytesIO()
    pydicom.dcmwrite(stream, header, enforce_file_format=True)
    return stream.getvalue()


def read(data):
    return decode(data, max_pixels=1e6)


def test_without_a_window_all_bits_are_kept_as_in_any_deep_picture():
    decoded = read(dicom(RAMP))
    assert (decoded.format, decoded.maximum) == ("DICOM", 4095)
    np.testing.assert_array_equal(decoded.values[:, :, 0], RAMP)
    assert decoded.rgb(4095)[0, 1].tolist() == [17, 17, 17]


def test_monochrome1_is_turned_round_and_said():
    decoded = read(dicom(RAMP, kind="MONOCHROME1"))
    np.testing.assert_array_equal(decoded.values[:, :, 0], 4095 - RAMP)
    assert "MONOCHROME1" in decoded.notes[0]


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
@pytest.mark.parametrize("kind", ["MONOCHROME1", "MONOCHROME2"])
def test_a_window_is_applied_as_pydicom_applies_it(function, kind):
    facts = {
        "RescaleSlope": "2",
        "RescaleIntercept": "-1024",
        "WindowCenter": ["1500", "1"],
        "WindowWidth": ["2000", "2"],
    }
    data = dicom(RAMP, kind=kind, VOILUTFunction=function, **facts)
    header = pydicom.dcmread(io.BytesIO(data))
    shown = pydicom.pixels.apply_windowing(2.0 * RAMP - 1024.0, header)
    low, high = -1024.0, 2.0 * 4095 - 1024.0
    expected = 255.0 * (shown - low) / (high - low)
    expected = 255.0 - expected if kind == "MONOCHROME1" else expected
    decoded = read(data)
    assert decoded.values.shape == (4, 4, 3)
    np.testing.assert_allclose(decoded.values[:, :, 1], expected, atol=0.51)


def test_signed_values_begin_at_the_lowest_that_their_bits_hold():
    decoded = read(dicom(np.array([[-2048, 0], [5, 2047]], dtype=np.int16)))
    assert decoded.values[:, :, 0].tolist() == [[0, 2048], [2053, 4095]]


def test_8_bits_and_colours_are_read_as_they_are():
    grey = np.array([[0, 100], [200, 255]], dtype=np.uint8)
    np.testing.assert_array_equal(read(dicom(grey, bits=8)).values[:, :, 2], grey)
    colours = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    np.testing.assert_array_equal(read(dicom(colours, kind="RGB", bits=8)).values, colours)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            dicom(np.zeros((3, 4, 4), np.uint16), Rows=4, Columns=4, NumberOfFrames=3),
            "a DICOM file of 3 frames; save each",
        ),
        (dicom(RAMP, kind="PALETTE COLOR"), "of the kind PALETTE COLOR"),
        (dicom(RAMP)[:-20], "damaged|cut off"),
        (dicom(np.zeros((1001, 1000), np.uint8), bits=8), "the limit is 1"),
    ],
)
def test_what_is_no_single_picture_is_refused_with_the_reason(data, message):
    with pytest.raises(UnreadableError, match=message):
        read(data)
