"""The mark on an image that is synthetic, in whole or in part, for the formats that have room."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

# IPTC's DigitalSourceType, the machine-readable word that XMP carries.
IPTC = "http://cv.iptc.org/newscodes/digitalsourcetype/"
COMPOSITE = "compositeWithTrainedAlgorithmicMedia"  # synthetic nodules in a radiograph
SIMULATED = "algorithmicMedia"  # a simulated radiograph
XMP_PNG = "XML:com.adobe.xmp"  # keyword of the text in a PNG
XMP_TIFF = 700  # tag
_XMP = """<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
 xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/">
<Iptc4xmpExt:DigitalSourceType>{source}</Iptc4xmpExt:DigitalSourceType>
<xmp:CreatorTool>nodegen {version}</xmp:CreatorTool>
<dc:description><rdf:Alt><rdf:li xml:lang="x-default">{text}</rdf:li></rdf:Alt></dc:description>
</rdf:Description></rdf:RDF></x:xmpmeta>
<?xpacket end="w"?>"""


@dataclass(frozen=True)
class Mark:
    """What an image says of how it was made.

    Attributes
    ----------
    what : str
        What is synthetic in it.
    version : str
        Of nodegen.
    source_type : str
        IPTC's word, without its address.
    run : str
        Hash of what decides the image, see :func:`run_hash`; "" where there is none.

    Examples
    --------
    >>> Mark("Synthetic lung nodules", "2.0.0", run="0123").text
    'Synthetic lung nodules by nodegen 2.0.0, run 0123, compositeWithTrainedAlgorithmicMedia'
    """

    what: str
    version: str
    source_type: str = COMPOSITE
    run: str = ""

    @property
    def text(self) -> str:
        """In one line."""
        run = f", run {self.run}" if self.run else ""
        return f"{self.what} by nodegen {self.version}{run}, {self.source_type}"

    @property
    def xmp(self) -> str:
        """As XMP, with IPTC's DigitalSourceType."""
        source = IPTC + self.source_type
        return _XMP.format(source=source, version=self.version, text=escape(self.text))


def run_hash(*parts: Any) -> str:
    """A hash of what decides an image, such as a run's header and its recipes; 16 digits."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]
