"""An independent decoder of chunk records, written from src/format/FORMAT.md alone: slow, short, no dependencies.

Reads JSON lines {"record": hex, "length": n, "base": hex or null} and prints the decoded bytes of each as hex.
"""
import json
import sys
import zlib

# dtype id: (bytes of a lane, whether it is a float)
LANES = {
    1: (1, False), 2: (1, False), 3: (1, False), 4: (1, False), 5: (2, False), 6: (2, False),
    7: (4, False), 8: (4, False), 9: (8, False), 10: (8, False), 11: (1, True), 12: (1, True),
    13: (2, True), 14: (2, True), 15: (4, True), 16: (8, True), 17: (4, True), 18: (8, True),
}


class Reader:
    def __init__(self, data):
        self.data, self.at, self.bits_left, self.bits_byte = data, 0, 0, 0

    def u8(self):
        self.at += 1
        return self.data[self.at - 1]

    def take(self, count):
        self.at += count
        assert self.at <= len(self.data)
        return self.data[self.at - count:self.at]

    def varint(self):
        value = shift = 0
        while True:
            byte = self.u8()
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    def bit(self):
        if self.bits_left == 0:
            self.bits_byte, self.bits_left = self.u8(), 8
        bit = self.bits_byte & 1
        self.bits_byte >>= 1
        self.bits_left -= 1
        return bit

    def bits(self, count):
        return sum(self.bit() << index for index in range(count))

    def gamma(self):
        length = 0
        while not self.bit():
            length += 1
        return (1 << length) + self.bits(length) - 1

    def end_bits(self):
        assert self.bits_byte == 0
        self.bits_left = 0


def read_weights(reader):
    weights, level_class = [0] * 256, 5

    def node(first, size):
        nonlocal level_class
        if size > 1 and reader.bit():
            node(first, size // 2)
            node(first + size // 2, size // 2)
        elif reader.bit():
            change = reader.gamma()
            level_class += change // 2 if change % 2 == 0 else -(change + 1) // 2
            level = 8 * level_class + reader.bits(3)
            assert 0 <= level_class <= 13 and level > 0
            weight = level if level < 16 else (8 + (level & 7)) << ((level >> 3) - 1)
            weights[first:first + size] = [weight] * size

    node(0, 256)
    reader.end_bits()
    return weights


def frequencies_of(weights):
    total = sum(weights)
    rare = [0 < weight and weight * 4096 < total for weight in weights]
    rest = sum(weight for weight, is_rare in zip(weights, rare) if not is_rare)
    share = 4096 - sum(rare)
    frequencies = [
        0 if weight == 0 else 1 if is_rare else max(1, weight * share // rest)
        for weight, is_rare in zip(weights, rare)
    ]
    missing = 4096 - sum(frequencies)
    while missing:
        for value in range(256):
            if missing > 0 and frequencies[value] > 0:
                frequencies[value] += 1
                missing -= 1
            elif missing < 0 and frequencies[value] > 1:
                frequencies[value] -= 1
                missing += 1
    return frequencies


def read_entropy(reader, count):
    states = reader.u8()
    frequencies = frequencies_of(read_weights(reader))
    coded = reader.take(reader.varint())
    assert len(coded) <= count
    symbols = [value for value in range(256) for _ in range(frequencies[value])]
    starts = [sum(frequencies[:value]) for value in range(256)]
    x = [int.from_bytes(coded[4 * index:4 * index + 4], 'little') for index in range(states)]
    at, output = 4 * states, bytearray()
    for index in range(count):
        state = x[index % states]
        symbol = symbols[state % 4096]
        output.append(symbol)
        state = frequencies[symbol] * (state // 4096) + state % 4096 - starts[symbol]
        if state < 2 ** 15:
            state = state * 65536 + int.from_bytes(coded[at:at + 2], 'little')
            at += 2
        x[index % states] = state
    assert at == len(coded) and all(state == 2 ** 15 for state in x)
    return bytes(output)


def read_stream(reader, count):
    kind = reader.u8()
    if kind == 1:
        return bytes(count)
    if kind == 2:
        return bytes([reader.u8()]) * count
    if kind == 3:
        return bytes(reader.take(count))
    if kind == 4:
        return read_entropy(reader, count)
    assert kind == 5
    value_count, gap_count = reader.varint(), reader.varint()
    gaps, values = read_stream(reader, gap_count), list(read_stream(reader, value_count))
    output, at = bytearray(count), 0
    for gap in gaps:
        at += gap
        if gap != 255:
            output[at] = values.pop(0)
            at += 1
    assert not values and gaps[-1] != 255
    return bytes(output)


def read_planes(reader, length, base):
    lane_bytes, is_float = LANES[reader.u8()]
    base = base if reader.u8() == 2 else bytes(length)
    bits = 8 * lane_bytes
    mask = (1 << bits) - 1

    def ordered(x):
        return x ^ (mask >> 1) if is_float and x >> (bits - 1) else x

    output, lanes = bytearray(), length // lane_bytes
    for start in range(0, lanes, 65536):
        count = min(65536, lanes - start)
        kind = reader.u8()
        planes = [bytes(count) if kind == 1 else read_stream(reader, count) for _ in range(lane_bytes)]
        for lane in range(count):
            z = sum(planes[plane][lane] << (8 * plane) for plane in range(lane_bytes))
            difference = (z >> 1) ^ (mask if z & 1 else 0)
            at = (start + lane) * lane_bytes
            before = ordered(int.from_bytes(base[at:at + lane_bytes], 'little'))
            output += ordered((difference + before) & mask).to_bytes(lane_bytes, 'little')
    return bytes(output) + reader.take(length % lane_bytes)


def decode(record, length, base):
    reader = Reader(record)
    encoding = reader.u8()
    if encoding == 4:
        raw = read_planes(reader, length, base)
        assert reader.at == len(record)
        return raw
    if encoding == 1:
        return reader.take(length)
    inflate = zlib.decompressobj(-15) if encoding == 2 else zlib.decompressobj(-15, zdict=base[-32768:])
    return inflate.decompress(record[1:]) + inflate.flush()


if __name__ == '__main__':
    for line in sys.stdin:
        entry = json.loads(line)
        base = None if entry['base'] is None else bytes.fromhex(entry['base'])
        print(decode(bytes.fromhex(entry['record']), entry['length'], base).hex())
