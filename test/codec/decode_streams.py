"""Byte streams of a record: src/format/FORMAT.md, "Byte stream" and what follows there."""
import struct


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


def read_table(reader):
    """The value of each slot, and for each value its frequency and the sum of those before it."""
    frequencies = frequencies_of(read_weights(reader))
    symbols = [value for value in range(256) for _ in range(frequencies[value])]
    return symbols, frequencies, [sum(frequencies[:value]) for value in range(256)]


def read_entropy(reader, count):
    states = reader.u8()
    table = read_table(reader)
    return read_coded(reader, states, [table] * count)


def read_coded(reader, states, tables):
    count = len(tables)
    coded = reader.take(reader.varint())
    assert len(coded) <= count
    x = [int.from_bytes(coded[4 * index:4 * index + 4], 'little') for index in range(states)]
    at, output = 4 * states, bytearray()
    for index, (symbols, frequencies, starts) in enumerate(tables):
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
    if kind == 6:
        return read_huffman(reader, count)
    if kind == 7:
        return read_seven(reader, count)
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


def read_seven(reader, count):
    told = reader.u8()
    low, common = (1 << (told & 7)) - 1, (told >> 3) << (told & 7)
    bits = int.from_bytes(reader.take((7 * count + 7) // 8), 'little')
    assert told < 16 and bits >> (7 * count) == 0
    sevens = [(bits >> (7 * at)) & 127 for at in range(count)]
    return bytes((seven & low) | ((seven & ~low) << 1) | common for seven in sevens)


def read_huffman(reader, count):
    first, last = reader.u8(), reader.u8()
    packed = reader.take((last - first + 2) // 2)
    lengths = [half for byte in packed for half in (byte & 15, byte >> 4)]
    assert first <= last and not any(lengths[last - first + 1:]) and lengths[0] and lengths[last - first]
    codes, code, before = {}, 0, 1
    for length, value in sorted((length, first + at) for at, length in enumerate(lengths) if length):
        assert length <= 11
        code <<= length - before
        before = length
        codes[length, code] = value
        code += 1
    assert code == 1 << before
    sizes = struct.unpack('<4I', reader.take(16))
    quarter, output = -(-count // 4), bytearray()
    for stream, size in enumerate(sizes):
        coded = reader.take((size + 7) // 8)
        bits = [(byte >> bit) & 1 for byte in coded for bit in range(8)]
        assert not any(bits[size:])
        at, end = 0, min(count, (stream + 1) * quarter)
        while len(output) < end:
            code = length = 0
            while (length, code) not in codes:
                code, length, at = 2 * code + bits[at], length + 1, at + 1
            output.append(codes[length, code])
        assert at == size
    return bytes(output)
