"""Blocks of gaps, for decode_record.py: FORMAT.md, "Gaps" and "Adaptive bits"."""


class AdaptiveBits:
    def __init__(self, probabilities, coded):
        self.probabilities, self.coded, self.at = probabilities, coded, 4
        self.x, self.y = 0, 2 ** 32 - 1
        self.v = int.from_bytes((coded + bytes(4))[:4], 'big')

    def read(self, name):
        p, uses = self.probabilities.get(name, (32768, 0))
        middle = self.x + ((self.y - self.x) * p >> 16)
        rate = (uses + 2).bit_length() - 1
        bit = int(self.v <= middle)
        if bit:
            self.y, p = middle, p + ((65535 - p) >> rate)
        else:
            self.x, p = middle + 1, p - (p >> rate)
        self.probabilities[name] = p, min(uses + 1, 62)
        while self.x >> 24 == self.y >> 24:
            self.x = self.x << 8 & 0xffffffff
            self.y = self.y << 8 & 0xffffffff | 255
            self.v = self.v << 8 & 0xffffffff | (self.coded[self.at] if self.at < len(self.coded) else 0)
            self.at += 1
        return bit


class Gaps:
    """What blocks of gaps share."""

    def __init__(self, low, contexts):
        assert low <= 240 and 1 <= contexts <= 8
        self.low, self.contexts, self.probabilities = low, contexts, {}
        self.sums, self.numbers = [4 << i for i in range(contexts)], [1] * contexts

    def gap(self, reader, i):
        k = 0
        while k < 16 and self.numbers[i] << (k + 1) < self.sums[i]:
            k += 1
        q = 0
        while q < 20 and reader.bit():
            q += 1
        gap = (q << k) + reader.bits(k) if q < 20 else reader.bits(17)
        self.sums[i] += gap
        self.numbers[i] += 1
        if self.numbers[i] == 64:
            self.sums[i] //= 2
            self.numbers[i] = 32
        return gap

    def difference(self, reader, adaptive, level):
        size = 1
        if adaptive.read(('large', level)):
            n = 0
            while adaptive.read(('length', level, n)):
                n += 1
            assert n <= 30
            size = 2 if n == 0 else 1 + ((2 + adaptive.read(('top', level, n))) << (n - 1)) + reader.bits(n - 1)
        return -size if reader.bit() else size

    def read(self, reader, exponents):
        """The differences of a block."""
        coded = reader.take(reader.varint())
        adaptive = AdaptiveBits(self.probabilities, coded)
        levels = [min(max(e + 8 - self.low, 0), 7 + self.contexts) for e in exponents]
        differences = [0] * len(levels)
        left = [self.gap(reader, i) for i in range(self.contexts)]
        for start in range(0, len(levels), 64):
            tile = range(start, min(len(levels), start + 64))
            for i in range(self.contexts):
                for lane in tile:
                    if levels[lane] != 8 + i:
                        continue
                    if left[i] > 0:
                        left[i] -= 1
                        continue
                    differences[lane] = self.difference(reader, adaptive, 8 + i)
                    left[i] = self.gap(reader, i)
            for lane in tile:
                if levels[lane] < 8 and adaptive.read(('flag', levels[lane])):
                    differences[lane] = self.difference(reader, adaptive, levels[lane])
        assert adaptive.at - 4 <= len(coded) <= adaptive.at
        reader.end_bits()
        return differences
