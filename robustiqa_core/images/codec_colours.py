"""Code points of colour that the streams of AV1 and HEVC carry themselves, for AVIF and HEIC without an `nclx` box.

Read as the standards lay the heads out: AV1 Bitstream & Decoding Process Specification 5.5, ITU-T H.265 7.3.2.2 and
E.2.1. Nothing is decoded.
"""

from robustiqa_core.images.colour import Cicp

_AV1_SEQUENCE_HEADER, _HEVC_SPS = 1, 33
_MOST_UNITS = 64
"""Units at the start of a stream among which a head is looked for."""


class _Bits:
    """Bits of a head, the first one the highest; EOFError behind the last."""

    def __init__(self, data: bytes) -> None:
        self._data, self._place = data, 0

    def read(self, count: int) -> int:
        """Return the next bits as a number."""
        end = self._place + count
        if end > 8 * len(self._data):
            raise EOFError
        first, last = self._place // 8, -(-end // 8)
        self._place = end
        return int.from_bytes(self._data[first:last], "big") >> (8 * last - end) & ((1 << count) - 1)

    def flag(self) -> bool:
        """Return the next bit."""
        return bool(self.read(1))

    def golomb(self) -> int:
        """Return the next number of an exponential-Golomb code: ue(v), and uvlc() of AV1."""
        zeros = 0
        while not self.flag():
            zeros += 1
            if zeros > 32:
                raise EOFError
        return (1 << zeros) - 1 + self.read(zeros)


def av1_colours(stream: bytes) -> Cicp | None:
    """Return the code points that the sequence header at the start of an AV1 stream names; None if there are none."""
    place = 0
    for _ in range(_MOST_UNITS):
        if place + 2 > len(stream):
            return None
        head = stream[place]
        place += 2 if head & 4 else 1
        size, shift = len(stream) - place, 0
        if head & 2:
            size = 0
            while place < len(stream) and shift < 56:
                byte = stream[place]
                size |= (byte & 0x7F) << shift
                place, shift = place + 1, shift + 7
                if byte < 0x80:
                    break
        if head >> 3 & 15 == _AV1_SEQUENCE_HEADER:
            try:
                return _sequence_header(_Bits(stream[place : place + size]))
            except EOFError:
                return None
        place += size
    return None


def _sequence_header(bits: _Bits) -> Cicp | None:
    profile, _, reduced = bits.read(3), bits.flag(), bits.flag()
    if reduced:
        bits.read(5)
    else:
        _operating_points(bits)
    width_bits, height_bits = bits.read(4) + 1, bits.read(4) + 1
    bits.read(width_bits + height_bits)
    if not reduced and bits.flag():
        bits.read(7)
    bits.read(3)
    if not reduced:
        _tools(bits)
    bits.read(3)
    high_bitdepth = bits.flag()
    if profile == 2 and high_bitdepth:
        bits.flag()
    grey = profile != 1 and bits.flag()
    if not bits.flag():
        return None
    primaries, transfer, matrix = bits.read(8), bits.read(8), bits.read(8)
    is_srgb = not grey and (primaries, transfer, matrix) == (1, 13, 0)
    return Cicp(primaries, transfer, is_srgb or bits.flag())


def _operating_points(bits: _Bits) -> None:
    """Pass over timing and operating points."""
    delay = None
    if bits.flag():
        bits.read(64)
        if bits.flag():
            bits.golomb()
        if bits.flag():
            delay = bits.read(5) + 1
            bits.read(42)
    display_delay = bits.flag()
    for _ in range(bits.read(5) + 1):
        bits.read(12)
        if bits.read(5) > 7:
            bits.flag()
        if delay is not None and bits.flag():
            bits.read(2 * delay + 1)
        if display_delay and bits.flag():
            bits.read(4)


def _tools(bits: _Bits) -> None:
    """Pass over the tools of inter prediction."""
    bits.read(4)
    order_hint = bits.flag()
    if order_hint:
        bits.read(2)
    chosen_later = bits.flag()
    if (chosen_later or bits.flag()) and not bits.flag():
        bits.flag()
    if order_hint:
        bits.read(3)


def hevc_colours(configuration: bytes) -> Cicp | None:
    """Return the code points in the parameter sets of an `hvcC` box; None if there are none.

    Args:
        configuration: content of the box, HEVCDecoderConfigurationRecord of ISO/IEC 14496-15.
    """
    place = 23
    for _ in range(configuration[22] if len(configuration) > 22 else 0):
        kind = configuration[place] & 0x3F if place < len(configuration) else 0
        count = int.from_bytes(configuration[place + 1 : place + 3], "big")
        place += 3
        for _ in range(min(count, _MOST_UNITS)):
            size = int.from_bytes(configuration[place : place + 2], "big")
            unit = configuration[place + 2 : place + 2 + size]
            place += 2 + size
            if kind == _HEVC_SPS:
                try:
                    return _parameter_set(_Bits(unit[2:].replace(b"\0\0\3", b"\0\0")))
                except EOFError:
                    return None
    return None


def _parameter_set(bits: _Bits) -> Cicp | None:
    bits.read(4)
    sub_layers = bits.read(3)
    bits.flag()
    _profile_and_level(bits, sub_layers)
    bits.golomb()
    if bits.golomb() == 3:
        bits.flag()
    _skip_golomb(bits, 2)
    if bits.flag():
        _skip_golomb(bits, 4)
    _skip_golomb(bits, 2)
    order_bits = bits.golomb() + 4
    _skip_golomb(bits, 3 * (sub_layers + 1 if bits.flag() else 1))
    _skip_golomb(bits, 6)
    if bits.flag() and bits.flag():
        _scaling_lists(bits)
    bits.read(2)
    if bits.flag():
        bits.read(8)
        _skip_golomb(bits, 2)
        bits.flag()
    _reference_sets(bits)
    if bits.flag():
        for _ in range(bits.golomb()):
            bits.read(order_bits + 1)
    bits.read(2)
    return _usability(bits) if bits.flag() else None


def _skip_golomb(bits: _Bits, count: int) -> None:
    for _ in range(count):
        bits.golomb()


def _profile_and_level(bits: _Bits, sub_layers: int) -> None:
    bits.read(96)
    present = [(bits.flag(), bits.flag()) for _ in range(sub_layers)]
    if sub_layers:
        bits.read(2 * (8 - sub_layers))
    for profile, level in present:
        bits.read(88 * profile + 8 * level)


def _scaling_lists(bits: _Bits) -> None:
    for size in range(4):
        for _ in range(2 if size == 3 else 6):
            if bits.flag():
                _skip_golomb(bits, (size > 1) + min(64, 1 << (4 + 2 * size)))
            else:
                bits.golomb()


def _reference_sets(bits: _Bits) -> None:
    known = 0
    for number in range(bits.golomb()):
        if number and bits.flag():
            bits.flag()
            bits.golomb()
            known = sum(bits.flag() or bits.flag() for _ in range(known + 1))
        else:
            known = bits.golomb() + bits.golomb()
            for _ in range(known):
                bits.golomb()
                bits.flag()


def _usability(bits: _Bits) -> Cicp | None:
    """Return what the usability information (VUI) says of colours."""
    if bits.flag() and bits.read(8) == 255:
        bits.read(32)
    if bits.flag():
        bits.flag()
    if not bits.flag():
        return None
    bits.read(3)
    full_range = bits.flag()
    if not bits.flag():
        return None
    primaries, transfer, _ = bits.read(8), bits.read(8), bits.read(8)
    return Cicp(primaries, transfer, full_range)
