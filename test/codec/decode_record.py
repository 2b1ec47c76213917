"""An independent decoder of chunk records, written from src/format/FORMAT.md alone: slow, short, no dependencies.

Reads JSON lines {"record": hex, "length": n, "inputs": [hex, ...]} and prints the decoded bytes of each as hex.
"""
import json
import struct
import sys
import zlib

from decode_gaps import Gaps
from decode_marks import Steps, read_marks
from decode_streams import Reader, read_coded, read_stream, read_table
from predict_lanes import GRADIENTS, RULES, cast, predict

# dtype id: (bytes of a lane, whether it is a float)
LANES = {
    1: (1, False), 2: (1, False), 3: (1, False), 4: (1, False), 5: (2, False), 6: (2, False),
    7: (4, False), 8: (4, False), 9: (8, False), 10: (8, False), 11: (1, True), 12: (1, True),
    13: (2, True), 14: (2, True), 15: (4, True), 16: (8, True), 17: (4, True), 18: (8, True),
}


def read_groups(reader):
    """The table of each exponent."""
    count = reader.u8()
    starts = [0] + [reader.u8() for _ in range(count - 1)] + [256]
    assert 1 <= count <= 16 and all(a < b for a, b in zip(starts, starts[1:]))
    tables = [read_table(reader) for _ in range(count)]
    return [table for index, table in enumerate(tables) for _ in range(starts[index], starts[index + 1])]


def ordered32(x):
    return x ^ 0x7fffffff if x >> 31 else x


def read_far(reader, symbol, lane):
    """The difference of a lane that is more than an octave from its prediction."""
    if symbol == 252:
        return ordered32(reader.bits(32)) - ordered32(lane)
    row, top = divmod(symbol - 184, 2)
    flip, level = (1, row - 17) if row >= 17 else (0, row)
    exponent = ((lane >> 23) + level - 8) & 255
    value = (((lane >> 31) ^ flip) << 31) | (exponent << 23) | (top << 22) | reader.bits(22)
    return ordered32(value) - ordered32(lane)


def exponents_of(lanes, lane_bytes, exponent_bits):
    shift = 8 * lane_bytes - 1 - exponent_bits
    return [(lane >> shift) & ((1 << exponent_bits) - 1) for lane in lanes]


def read_classes(reader, groups, before, exponents, lane_bits, has_far):
    """The differences of a block; `before` are its predicted lanes."""
    symbols = read_coded(reader, 4, [groups[exponent] for exponent in exponents])
    differences = []
    for symbol, lane in zip(symbols, before):
        if has_far and symbol >= 184:
            differences.append(read_far(reader, symbol, lane))
            continue
        level = symbol >> 1
        count = max(0, level // 4 - 1)
        size = ((level if level < 4 else 4 + level % 4) << count) + reader.bits(count)
        is_negative = (symbol & 1) ^ (lane >> (lane_bits - 1))
        differences.append(-size if is_negative else size)
    reader.end_bits()
    return differences


def read_prefix_model(reader):
    low_bytes, first = reader.u8(), reader.u8()
    packed = reader.take(128)
    nibbles = [half for byte in packed for half in (byte & 15, byte >> 4)]
    assert low_bytes in (1, 2) and nibbles.pop() == 0
    codes = []
    for start in range(0, 255, 17):
        table, code, before = {}, 0, 1
        for length, symbol in sorted((nibbles[start + symbol], symbol) for symbol in range(17)):
            assert 1 <= length <= 9
            code <<= length - before
            before = length
            table[length, code] = symbol
            code += 1
        assert code == 1 << before
        codes.append(table)
    return low_bytes, first, codes


def read_prefix(reader, model, before):
    """The differences of a block in prefix codes; `before` are its predicted lanes."""
    low_bytes, first, codes = model
    sizes = struct.unpack('<4I', reader.take(16))
    count = len(before)
    low = reader.take(count * low_bytes)
    upper = [0] * count
    for stream, size in enumerate(sizes):
        bits = int.from_bytes(reader.take((size + 7) // 8), 'little')
        assert bits >> size == 0
        at = size
        for lane in reversed(range(stream, count, 4)):
            table = codes[min(14, max(0, ((before[lane] >> 23) & 255) - first))]
            code = length = 0
            while (length, code) not in table:
                at, length = at - 1, length + 1
                code = 2 * code + ((bits >> at) & 1)
            k = table[length, code]
            at -= k
            upper[lane] = (1 << k) + ((bits >> at) & ((1 << k) - 1)) - 1
        assert at == 0
    for lane in range(count):
        if upper[lane] >= 0xffff:
            upper[lane] = (upper[lane] & 0xffff) + (reader.u8() << 16)
    lows = [int.from_bytes(low[at:at + low_bytes], 'little') for at in range(0, count * low_bytes, low_bytes)]
    residuals = [((u << (8 * low_bytes)) + part) & 0xffffffff for u, part in zip(upper, lows)]
    return [(z >> 1) ^ -(z & 1) for z in residuals]


def read_residuals(reader, count, lane_bytes):
    planes = [read_stream(reader, count) for _ in range(lane_bytes)]
    residuals = [sum(planes[plane][lane] << (8 * plane) for plane in range(lane_bytes)) for lane in range(count)]
    return [(z >> 1) ^ -(z & 1) for z in residuals]


def read_planes(reader, length, inputs):
    dtype = reader.u8()
    lane_bytes = LANES[dtype][0]
    predicted = read_prediction(reader, dtype, length, inputs)
    return read_lanes(reader, dtype, length // lane_bytes, predicted) + reader.take(length % lane_bytes)


def read_prediction(reader, dtype, length, inputs):
    """The predicted bytes, or None."""
    predictor = reader.u8()
    if predictor == 1:
        return None
    if predictor == 2:
        return inputs[0]
    if predictor == 3:
        return cast(reader.u8(), dtype, inputs[0])
    formula, count = RULES[predictor]
    order = reader.u8()
    constants = struct.unpack(f'<{count}f', reader.take(4 * count))
    if predictor in GRADIENTS:
        kind = 13 if predictor != 8 and order & 8 else 14
        gradients = read_lanes(reader, kind, length // 4, None)
        inputs = [*inputs, cast(kind, 15, gradients)]
    return predict(formula, order, constants, inputs)


def read_touched(reader, dtype, length, base):
    """Lanes of which only those of some lines differ from the base, or from zeros."""
    reader.u8()
    lines, runs, before = -(-length // 64), [], 0
    for index in range(reader.varint()):
        start = before + reader.varint()
        before = start + reader.varint()
        assert start < before <= lines and (index == 0 or start > runs[-1][1] // 64)
        runs.append((64 * start, min(length, 64 * before)))
    assert runs and reader.data[reader.at] != 11
    together = base and b''.join(base[start:end] for start, end in runs)
    count = sum(end - start for start, end in runs) // LANES[dtype][0]
    coded = read_lanes(reader, dtype, count, together)
    output, at = bytearray(base[:length] if base else length), 0
    for start, end in runs:
        output[start:end] = coded[at:at + end - start]
        at += end - start
    return bytes(output)


def read_marked(reader, dtype, lanes, base):
    """Lanes of which only the marked ones differ from the base."""
    reader.u8()
    assert LANES[dtype] == (2, True)
    before = struct.unpack(f'<{lanes}H', base[:2 * lanes])
    marked, carried = read_marks(reader, exponents_of(before, 2, 5 if dtype == 13 else 8))
    blocks = Reader(carried + reader.data[reader.at:])
    together = b''.join(base[2 * lane:2 * lane + 2] for lane in marked)
    assert blocks.data[0] not in (11, 12, 13)
    coded = read_lanes(blocks, dtype, len(marked), together)
    assert not any(carried[blocks.at:])
    reader.take(max(0, blocks.at - len(carried)))
    output = bytearray(base[:2 * lanes])
    for index, lane in enumerate(marked):
        output[2 * lane:2 * lane + 2] = coded[2 * index:2 * index + 2]
    return bytes(output)


def read_steps(reader, dtype, lanes, base):
    """Lanes that are so many units in the last place away from the base."""
    reader.u8()
    assert LANES[dtype] == (2, True)
    steps, output = Steps(reader), bytearray(base[:2 * lanes])
    before = struct.unpack(f'<{lanes}H', output)
    exponents = exponents_of(before, 2, 5 if dtype == 13 else 8)
    for start in range(0, lanes, 65536):
        for lane, size, is_nearer in steps.read(reader, exponents[start:start + 65536], start + 65536 >= lanes):
            key = before[start + lane]
            ordered = key ^ (0x7fff if key >> 15 else 0)
            after = (ordered + (-size if is_nearer != key >> 15 else size)) & 0xffff
            struct.pack_into('<H', output, 2 * (start + lane), after ^ (0x7fff if after >> 15 else 0))
    return bytes(output)


def read_lanes(reader, dtype, lanes, base):
    lane_bytes, is_float = LANES[dtype]
    has_base = base is not None
    base = base if has_base else bytes(lanes * lane_bytes)
    bits = 8 * lane_bytes
    mask = (1 << bits) - 1

    def ordered(x):
        return x ^ (mask >> 1) if is_float and x >> (bits - 1) else x

    if lanes > 0 and reader.data[reader.at] == 11:
        return read_touched(reader, dtype, lanes * lane_bytes, base if has_base else None)
    if lanes > 0 and reader.data[reader.at] == 12:
        return read_marked(reader, dtype, lanes, base if has_base else None)
    if lanes > 0 and reader.data[reader.at] == 13:
        return read_steps(reader, dtype, lanes, base if has_base else None)
    output = bytearray()
    for start in range(0, lanes, 65536):
        count = min(65536, lanes - start)
        kind = reader.u8()
        first = start * lane_bytes
        before = [
            int.from_bytes(base[at:at + lane_bytes], 'little')
            for at in range(first, first + count * lane_bytes, lane_bytes)
        ]
        if kind in (3, 9):
            groups = read_groups(reader)
        if kind == 7:
            model = read_prefix_model(reader)
        if kind == 1:
            differences = [0] * count
        elif kind == 2:
            differences = read_residuals(reader, count, lane_bytes)
        elif kind in (7, 8):
            assert has_base and is_float and lane_bytes == 4
            differences = read_prefix(reader, model, before)
        else:
            assert kind in (3, 4, 5, 6, 9, 10) and has_base and is_float and lane_bytes in {3: (1, 2, 4), 4: (1, 2, 4), 5: (2, 4), 6: (2, 4)}.get(kind, (4,))
            exponents = exponents_of(before, lane_bytes, 5 if dtype == 13 else 7 if lane_bytes == 1 else 8)
            if kind == 5:
                gaps = Gaps(reader.u8(), reader.u8())
            if kind not in (5, 6):
                differences = read_classes(reader, groups, before, exponents, bits, kind > 6)
            else:
                differences = gaps.read(reader, exponents)
        for lane, difference in zip(before, differences):
            output += ordered((difference + ordered(lane)) & mask).to_bytes(lane_bytes, 'little')
    return bytes(output)


def decode(record, length, inputs):
    reader = Reader(record)
    encoding = reader.u8()
    if encoding == 4:
        raw = read_planes(reader, length, inputs)
        assert reader.at == len(record)
        return raw
    if encoding == 1:
        return reader.take(length)
    inflate = zlib.decompressobj(-15) if encoding == 2 else zlib.decompressobj(-15, zdict=inputs[0][-32768:])
    return inflate.decompress(record[1:]) + inflate.flush()


if __name__ == '__main__':
    for line in sys.stdin:
        entry = json.loads(line)
        inputs = [bytes.fromhex(data) for data in entry['inputs']]
        print(decode(bytes.fromhex(entry['record']), entry['length'], inputs).hex())
