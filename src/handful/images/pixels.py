"""One picture of a table, decoded again."""

from __future__ import annotations

import math

from handful.core.errors import DataError
from handful.core.files import sha256_bytes
from handful.core.records import ImageTable, Picture, PixelArray
from handful.images.decode import decode
from handful.images.unreadable import UnreadableError


def pixels(table: ImageTable, picture: Picture, *, shortest: int | None = None) -> PixelArray:
    """Decodes one picture of a table; safe to call from several threads.

    Args:
        table: where it comes from.
        picture: one of the table's.
        shortest: the shorter side that will be needed. A JPEG whose shorter side is at least four times that is
            decoded at a reduced size, still at least twice `shortest`; the result does not depend on anything else.

    Returns:
        uint8 (H, W, 3), RGB, upright.

    Raises:
        DataError: the file has changed or gone since it was checked.
    """
    try:
        data = table.source.read(picture.path)
        if sha256_bytes(data) != picture.file_sha256:
            raise UnreadableError("its bytes are not those that were checked")
        # The limit on pixels was applied to these very bytes when the table was read.
        return decode(data, max_pixels=math.inf, shortest=shortest).rgb(table.full_scale)
    except UnreadableError as error:
        raise DataError(
            f"{picture.path} in {table.root} changed while it was in use: {error}. Leave the data set alone during a "
            "run, and start again."
        ) from None
