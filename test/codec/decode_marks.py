"""Which lanes are marked, and how far they are, for decode_record.py: FORMAT.md, "Marked lanes" and "Steps"."""
import struct


def read_marks(reader, exponents):
    """The marked lanes, and the bytes that the states carry."""
    low, probabilities, length = reader.u8(), reader.take(16), reader.varint()
    x = list(struct.unpack('<32H', reader.take(64)))
    coded, at = reader.take(length), 0
    assert all(0 < p < 128 for p in probabilities) and min(x) >= 256
    contexts = [min(15, max(0, e - low)) for e in exponents]
    count = len(contexts)
    marked = []
    for lane, context in enumerate(contexts + [15] * (-count % 32)):
        p, state = probabilities[context], x[lane % 32]
        q, slot = divmod(state, 128)
        if slot < p:
            marked.append(lane)
            state = p * q + slot
        else:
            state = (128 - p) * q + slot - p
        if state < 256:
            state = state * 256 + coded[at]
            at += 1
        x[lane % 32] = state
    assert at == length and max(x) < 512 and marked and marked[-1] < count
    return marked, bytes(state - 256 for state in x)


def least(level):
    return level if level < 4 else (2 + level % 2) << (level // 2 - 1)


class Steps:
    """The coder of a chunk: states and what they are refilled from."""

    def __init__(self, reader):
        self.low, self.levels = reader.u8(), reader.u8()
        assert 1 <= self.levels <= 30
        self.tables = [reader.take(16) for _ in range(min(self.levels, 4))]
        assert all(0 < p < 128 for table in self.tables for p in table)
        length = reader.varint()
        self.x = list(struct.unpack('<64H', reader.take(128)))
        assert min(self.x) >= 256
        self.coded, self.at = reader.take(length), 0

    def marks(self, level, exponents):
        low = self.low if level == 0 else max(0, self.low - (level - 1) // 2)
        table = self.tables[level if level < 4 else 2 + level % 2]
        contexts = [min(15, max(0, e - low)) for e in exponents]
        marked = []
        for lane, context in enumerate(contexts + [15] * (-len(contexts) % 32)):
            p, (q, slot) = table[context], divmod(self.x[lane % 64], 128)
            if slot < p:
                marked.append(lane)
            state = p * q + slot if slot < p else (128 - p) * q + slot - p
            if state < 256:
                state = state * 256 + self.coded[self.at]
                self.at += 1
            self.x[lane % 64] = state
        assert not marked or marked[-1] < len(contexts)
        return marked

    def read(self, reader, exponents, is_last):
        """For each lane that differs its place, how far it is, and whether nearer to zero."""
        there, level_of, seen = list(range(len(exponents))), {}, 0
        for level in range(self.levels):
            there = [there[at] for at in self.marks(level, [exponents[lane] for lane in there])]
            level_of.update((lane, level + 1) for lane in there)
            seen += len(there)
        assert seen <= 131072
        places = sorted(level_of)
        full = self.levels
        widths = [16 if level_of[lane] == full else max(0, level_of[lane] // 2 - 1) for lane in places]
        size = len(places) + sum(widths)
        carried = bytes(x - 256 for x in self.x[:min(64, len(places) // 8)]) if is_last else b''
        bits = int.from_bytes(carried + reader.take(-(-size // 8) - len(carried)), 'little')
        assert bits >> size == 0
        if is_last:
            assert self.at == len(self.coded) and all(x == 256 for x in self.x[len(carried):]) and max(self.x) < 512
        nearer = [bits >> at & 1 for at in range(len(places))]
        bits >>= len(places)
        for lane, width, is_nearer in zip(places, widths, nearer):
            rest = bits & ((1 << width) - 1)
            bits >>= width
            yield lane, rest if level_of[lane] == full else least(level_of[lane]) + rest, is_nearer
