"""Office files are zip archives with the time in them: packed anew, the same content has the same
bytes."""

from __future__ import annotations

import io
import re
import zipfile
from datetime import date

EPOCH = (1980, 1, 1, 0, 0, 0)  # the first day that a zip archive knows


def repacked(data: bytes, day: date) -> bytes:
    """The same archive: members in the order of their names, no time of their own, and `day` as
    the day on which the document was made and changed.

    A document's first member must be its list of content types: some readers insist.
    """
    source = zipfile.ZipFile(io.BytesIO(data))
    names = sorted(source.namelist(), key=lambda n: (n != "[Content_Types].xml", n))
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as target:
        for name in names:
            content = source.read(name)
            if name.endswith(".xlsx"):
                content = repacked(content, day)  # the data of a chart is a workbook of its own
            elif name == "docProps/core.xml":
                stamp = f">{day.isoformat()}T00:00:00Z<".encode()
                content = re.sub(rb">\d{4}-\d\d-\d\dT[\d:.]+Z?<", stamp, content)
            info = zipfile.ZipInfo(name, EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o644 << 16
            target.writestr(info, content)
    return out.getvalue()
