"""Reads DER strictly (X.690): what BER alone allows is an error."""


class NotDER(Exception):
    pass


def check(ok, what):
    if not ok:
        raise NotDER(what)


def read(data):
    """Returns the elements of data, each as (tag, content, whole, elements inside or None)."""
    elements, at = [], 0
    while at < len(data):
        begin, tag = at, data[at]
        check(tag & 31 != 31, "a tag of more than one byte")
        check(at + 1 < len(data), "no length")
        length, at = data[at + 1], at + 2
        check(length != 0x80, "indefinite length")
        if length & 0x80:
            count = length & 0x7F
            check(at + count <= len(data), "length cut off")
            length, at = int.from_bytes(data[at : at + count], "big"), at + count
            check(length >= 0x80 and length >> 8 * (count - 1), "length longer than it must be")
        check(at + length <= len(data), "content cut off")
        content, at = data[at : at + length], at + length
        inside = read(content) if tag & 0x20 else None
        primitive(tag, content)
        if tag == 0x31:
            values = [element[2] for element in inside]
            check(values == sorted(values), "SET OF out of order")
            check(len(set(values)) == len(values), "SET OF with a value twice")
        elements.append((tag, content, data[begin:at], inside))
    return elements


def one(data):
    elements = read(data)
    check(len(elements) == 1, "%d elements" % len(elements))
    return elements[0]


def primitive(tag, content):
    if tag == 0x01:
        check(content in (b"\x00", b"\xff"), "BOOLEAN")
    elif tag == 0x02:
        check(len(content) > 0, "empty INTEGER")
        redundant = len(content) > 1 and (content[0], content[1] >> 7) in ((0x00, 0), (0xFF, 1))
        check(not redundant, "INTEGER longer than it must be")
    elif tag == 0x03:
        check(len(content) > 0 and content[0] < 8, "BIT STRING")
        check(len(content) > 1 or content[0] == 0, "unused bits of nothing")
        check(content[0] == 0 or content[-1] & (1 << content[0]) - 1 == 0, "unused bits that are set")
    elif tag == 0x05:
        check(content == b"", "NULL with content")
    elif tag == 0x06:
        check(len(content) > 0 and content[-1] < 0x80, "OBJECT IDENTIFIER cut off")
        starts = [content[0]] + [b for a, b in zip(content, content[1:]) if a < 0x80]
        check(0x80 not in starts, "arc longer than it must be")
    elif tag == 0x0C:
        content.decode("utf-8")
    elif tag == 0x13:
        letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 '()+,-./:=?"
        check(all(c in letters for c in content), "PrintableString")
    elif tag == 0x16:
        check(all(c < 0x80 for c in content), "IA5String")
    elif tag == 0x1E:
        check(len(content) % 2 == 0, "BMPString")


def oid(content):
    arcs, arc = [], 0
    for c in content:
        arc = arc << 7 | c & 0x7F
        if c < 0x80:
            arcs.append(arc)
            arc = 0
    first = min(arcs[0] // 40, 2)
    return ".".join(map(str, [first, arcs[0] - 40 * first] + arcs[1:]))
