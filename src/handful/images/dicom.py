"""DICOM files as pictures; needs pydicom, by the extra `dicom`.

A file with a window is shown through it, as a viewer opens it: PS3.3, section C.11.2.1.2, after the rescaling of
section C.11.1. Without one its stored values are kept, all bits of them, and the brightest of the data set becomes
white, as for any picture of more than 8 bits. MONOCHROME1, in which the lowest value is white, is turned round.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from handful.core.errors import MissingExtraError
from handful.core.records import FloatArray, PixelArray
from handful.images.unreadable import UnreadableError

PREAMBLE, MARK = 128, b"DICM"

DEFLATED = b"1.2.840.10008.1.2.1.99"
"""Names the transfer syntax in which all of a file is compressed (PS3.5, section A.5)."""

GREYS = ("MONOCHROME1", "MONOCHROME2")
COLOURS = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_RCT", "YBR_ICT")


@dataclass(frozen=True, slots=True)
class Slide:
    """A DICOM file that was opened and not yet decoded.

    Attributes:
        header: pydicom's Dataset.
        size: width and height in pixels.
    """

    header: Any
    size: tuple[int, int]

    def values(self) -> npt.NDArray[Any]:
        """Returns uint8 (H, W, 3), or uint16 (H, W, 1) where there are more than 8 bits and no window.

        Raises:
            UnreadableError: values that no rule turns into a picture.
        """
        from pydicom.pixels import pixel_array

        kind = str(self.header.get("PhotometricInterpretation", ""))
        if kind not in (*GREYS, *COLOURS):
            raise UnreadableError(
                f"a DICOM picture of the kind {kind or 'unknown'}; expected {', '.join(GREYS)} or RGB"
            )
        stored = pixel_array(self.header)
        if kind in COLOURS:
            if stored.dtype != np.uint8 or stored.ndim != 3:
                raise UnreadableError(f"a DICOM picture in colours of {stored.dtype}; expected 8 bits for each")
            return np.asarray(stored)
        bits = int(self.header.BitsStored)
        if bits > 16 or stored.ndim != 2:
            raise UnreadableError(f"a DICOM picture of {bits} bits; at most 16 are read")
        turned = kind == "MONOCHROME1"
        if (shown := self._shown(stored)) is not None:
            return _grey(np.rint(255.0 * (1.0 - shown if turned else shown)).astype(np.uint8))
        lowest = -(1 << (bits - 1)) if int(self.header.get("PixelRepresentation", 0)) else 0
        whole = np.clip(stored.astype(np.int64) - lowest, 0, (1 << bits) - 1)
        whole = (1 << bits) - 1 - whole if turned else whole
        return _grey(whole.astype(np.uint8)) if bits == 8 else whole.astype(np.uint16)[:, :, None]

    def notes(self) -> tuple[str, ...]:
        """Returns what was done to read it."""
        window = ("shown through the window that its file names",) if self._window() else ()
        turned = self.header.get("PhotometricInterpretation") == "MONOCHROME1"
        return (*window, *(("MONOCHROME1: turned round, so that the highest value is white",) if turned else ()))

    def _window(self) -> tuple[float, float] | None:
        """Returns centre and width of the first window; None where there is none."""
        centre, width = (_first(self.header.get(name)) for name in ("WindowCenter", "WindowWidth"))
        return None if centre is None or width is None or width < 1.0 else (centre, width)

    def _shown(self, stored: npt.NDArray[Any]) -> FloatArray | None:
        """Returns float64 (H, W), 0 to 1: the values through the window; None where there is none."""
        window = self._window()
        if window is None:
            return None
        centre, width = window
        slope, offset = _first(self.header.get("RescaleSlope")), _first(self.header.get("RescaleIntercept"))
        x: FloatArray = stored * (1.0 if slope is None else slope) + (offset or 0.0)
        function = str(self.header.get("VOILUTFunction") or "LINEAR")
        if function == "SIGMOID":
            return np.asarray(1.0 / (1.0 + np.exp(np.clip(-4.0 * (x - centre) / width, -700.0, 700.0))))
        if function == "LINEAR_EXACT":
            return np.clip((x - centre) / width + 0.5, 0.0, 1.0)
        return np.clip((x - (centre - 0.5)) / max(width - 1.0, 1e-9) + 0.5, 0.0, 1.0)


def is_dicom(data: bytes) -> bool:
    """Returns whether a file begins like a DICOM file."""
    return data[PREAMBLE : PREAMBLE + len(MARK)] == MARK


def open_dicom(data: bytes) -> Slide:
    """Returns a DICOM file, opened.

    Raises:
        UnreadableError: pydicom is not installed, or the file holds no picture or several.
    """
    try:
        import pydicom
    except ImportError:
        raise UnreadableError(str(MissingExtraError("reading DICOM files", "dicom")), lasting=False) from None
    if DEFLATED in data:
        raise UnreadableError("a deflated DICOM file, which may unpack to any size; save it uncompressed or as JPEG-LS")
    header = pydicom.dcmread(io.BytesIO(data))
    if "PixelData" not in header:
        raise UnreadableError("a DICOM file without a picture")
    n_frames = int(header.get("NumberOfFrames") or 1)
    if n_frames > 1:
        raise UnreadableError(f"a DICOM file of {n_frames} frames; save each frame that matters as a file of its own")
    return Slide(header, (int(header.Columns), int(header.Rows)))


def _first(value: Any) -> float | None:
    """Returns the first of one or several numbers; None where there is none."""
    if value is None or value == "":
        return None
    several = value if isinstance(value, list | tuple) or hasattr(value, "__iter__") else [value]
    first = next(iter(several), None)
    return None if first is None else float(first)


def _grey(values: PixelArray) -> PixelArray:
    """Returns uint8 (H, W, 3) of uint8 (H, W)."""
    return np.repeat(values[:, :, None], 3, axis=2)
