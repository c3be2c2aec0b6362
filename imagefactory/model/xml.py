"""The one door for XML from outside: a parser that fetches nothing, expands nothing and takes no more than is good."""

from __future__ import annotations

from lxml import etree

from imagefactory.lib.errors import InvalidInput, Problem, TooLarge

XINCLUDE = "http://www.w3.org/2001/XInclude"
MOST_SYNTAX_PROBLEMS = 10  # one slip makes libxml2 report many more


def parse_xml(document: bytes, *, what: str, limit: int = 1 << 20, quoting: bool = True) -> etree._Element:
    """Returns the root of `document`, which people call `what`.

    Refuses a document type declaration (and with it every entity that is not one of XML's own five) and XInclude.
    With `quoting` off an error never repeats anything of the document. Raises TooLarge
    above `limit` bytes, else InvalidInput.
    """
    if len(document) > limit:
        raise TooLarge(f"this {what} has {len(document)} bytes; at most {limit} are accepted")
    root = _parse(document, what, quoting)
    _refuse_hazards(root, what)
    return root


def _parse(document: bytes, what: str, quoting: bool) -> etree._Element:
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False, huge_tree=False
    )
    try:
        return etree.fromstring(document, parser)
    except etree.XMLSyntaxError:
        # the parser's own log: that of the exception goes on and on over all documents of the process
        entries = list(parser.error_log)[:MOST_SYNTAX_PROBLEMS]
    problems = [Problem(f"line {entry.line}", entry.message if quoting else "it breaks here") for entry in entries]
    raise InvalidInput(f"this {what} is not well-formed XML", problems=problems)


def _refuse_hazards(root: etree._Element, what: str) -> None:
    if root.getroottree().docinfo.internalDTD is not None:
        raise InvalidInput(
            f"this {what} has a document type declaration (DOCTYPE), which is not accepted",
            hint="remove it, and write the text of its entities where they are used",
        )
    for element in root.iter(f"{{{XINCLUDE}}}*"):
        raise InvalidInput(
            f"this {what} uses XInclude, which is not accepted",
            problems=[Problem(f"line {element.sourceline}", f"an element of the namespace {XINCLUDE}")],
            hint="write the included text into the document",
        )


def string_value(element: etree._Element) -> str:
    """Returns all text of `element`: a comment inside does not cut it short."""
    return "".join(str(text) for text in element.itertext(etree.Element))


def utf8(document: bytes, root: etree._Element) -> bytes:
    """`document` itself if it is UTF-8 and says nothing else, else the same document in UTF-8."""
    declared = (root.getroottree().docinfo.encoding or "UTF-8").upper()
    if declared in {"UTF-8", "ASCII", "US-ASCII"} and b"\0" not in document and _is_utf8(document):
        return document
    return etree.tostring(root.getroottree(), encoding="UTF-8", xml_declaration=True)


def _is_utf8(document: bytes) -> bool:
    try:
        document.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
