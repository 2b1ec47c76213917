"""Turns the unpacked form of a file back into it: FORMAT.md, "Unpacked files", and RFC 8878. Slow, short, no dependencies."""

LITERAL_BITS = [0] * 16 + [1, 1, 1, 1, 2, 2, 3, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]
MATCH_BITS = [0] * 32 + [1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]
STANDARD_LITERALS = [4, 3] + [2] * 11 + [1, 1, 1] + [2] * 9 + [3, 2, 1, 1, 1, 1, 1] + [-1] * 4
STANDARD_OFFSETS = [1, 1, 1, 1, 1, 1, 2, 2, 2] + [1] * 15 + [-1] * 5
STANDARD_MATCHES = [1, 4, 3, 2, 2, 2, 2, 2, 2] + [1] * 37 + [-1] * 7


def bases(bits, first):
    return [first + sum(1 << b for b in bits[:at]) for at in range(len(bits))]


LITERAL_BASE, MATCH_BASE = bases(LITERAL_BITS, 0), bases(MATCH_BITS, 3)


class Backward:
    """Bits from the end of bytes to their start; behind the start there are zeros."""

    def __init__(self, data):
        self.value = int.from_bytes(data, "little")
        self.left = self.value.bit_length() - 1

    def take(self, count):
        self.left -= count
        value = self.value >> self.left if self.left >= 0 else self.value << -self.left
        return value & ((1 << count) - 1)


def table_of(counts, log):
    size = 1 << log
    symbols, following, high = [0] * size, [max(1, count) for count in counts], size - 1
    for symbol, count in enumerate(counts):
        if count == -1:
            symbols[high], high = symbol, high - 1
    place, step = 0, (size >> 1) + (size >> 3) + 3
    for symbol, count in enumerate(counts):
        for _ in range(max(0, count)):
            symbols[place] = symbol
            place = (place + step) % size
            while place > high:
                place = (place + step) % size
    cells = []
    for symbol in symbols:
        order, following[symbol] = following[symbol], following[symbol] + 1
        bits = log - order.bit_length() + 1
        cells.append((symbol, bits, (order << bits) - size))
    return log, cells


def read_table(data):
    """Returns a table and the bytes that its counts take."""
    value, at = int.from_bytes(data[:512], "little"), 4
    log = (value & 15) + 5
    left, counts = (1 << log) + 1, []
    while left > 1:
        width = left.bit_length()
        short = (1 << width) - 1 - left
        number = (value >> at) & ((1 << width) - 1)
        if number & ((1 << (width - 1)) - 1) < short:
            number &= (1 << (width - 1)) - 1
            at += width - 1
        else:
            number -= short if number >= 1 << (width - 1) else 0
            at += width
        counts.append(number - 1)
        left -= abs(number - 1)
        more = 3 if number == 1 else 0
        while more == 3:
            more = (value >> at) & 3
            at += 2
            counts += [0] * more
    return table_of(counts, log), (at + 7) // 8


def read_code(data):
    """Returns the words of a Huffman code by symbol, and the bytes of its description."""
    head = data[0]
    if head >= 128:
        used = 1 + (head - 126) // 2
        weights = [data[1 + at // 2] >> (4 if at % 2 == 0 else 0) & 15 for at in range(head - 127)]
    else:
        used = 1 + head
        (log, cells), start = read_table(data[1:used])
        bits = Backward(data[1 + start : used])
        states, weights = [bits.take(log), bits.take(log)], []
        while bits.left >= 0:
            symbol, count, base = cells[states[0]]
            weights.append(symbol)
            states = [states[1], base + bits.take(count)]
        weights.append(cells[states[0]][0])
    total = sum(1 << (weight - 1) for weight in weights if weight)
    longest = total.bit_length()
    weights.append(((1 << longest) - total).bit_length())
    words, cell = {}, 0
    for weight in range(1, longest + 1):
        for symbol, own in enumerate(weights):
            if own == weight:
                words[symbol] = (cell >> (weight - 1), longest + 1 - weight)
                cell += 1 << (weight - 1)
    return words, used


def encode(words, literals):
    value = length = 0
    for byte in reversed(literals):
        word, bits = words[byte]
        value |= word << length
        length += bits
    return (value | 1 << length).to_bytes(length // 8 + 1, "little")


class Frame:
    """A frame that is rebuilt from its structure and its content."""

    def __init__(self, structure, content):
        self.structure, self.content, self.out = structure, content, []
        self.at = self.used = 0
        self.words, self.tables = None, [None, None, None]

    def stay(self, count):
        self.at += count
        self.out.append(self.structure[self.at - count : self.at])
        return self.out[-1]

    def take(self, count):
        self.used += count
        assert self.used <= len(self.content), "no more content"
        return self.content[self.used - count : self.used]

    def rebuild(self):
        descriptor = self.structure[4]
        assert self.structure[:4] == b"\x28\xb5\x2f\xfd" and descriptor & 11 == 0
        single = descriptor >> 5 & 1
        self.stay((5 if single else 6) + [single, 2, 4, 8][descriptor >> 6])
        last = 0
        while not last:
            word = int.from_bytes(self.stay(3), "little")
            last, kind, size = word & 1, word >> 1 & 3, word >> 3
            if kind == 0:
                self.out.append(self.take(size))
            elif kind == 1:
                self.stay(1)
                self.take(size)
            else:
                self.block(size)
        self.stay(4 if descriptor & 4 else 0)
        assert self.at == len(self.structure) and self.used == len(self.content)
        return b"".join(self.out)

    def block(self, size):
        kind, form = self.structure[self.at] & 3, self.structure[self.at] >> 2 & 3
        header = [1, 2, 1, 3][form] if kind < 2 else [3, 3, 4, 5][form]
        word = int.from_bytes(self.stay(header), "little")
        width = [10, 10, 14, 18][form]
        count = (word >> 3 if form % 2 == 0 else word >> 4) if kind < 2 else word >> 4 & ((1 << width) - 1)
        stored = [count, 1, word >> 4 + width, word >> 4 + width][kind]
        kept = 0
        if kind == 1:
            self.stay(1)
        elif kind == 2:
            self.words, kept = read_code(self.structure[self.at :])
            self.stay(kept)
        section = self.structure[self.at : self.at + size - header - stored]
        sequences = self.sequences(section)
        content = self.take(count + sum(match for _, match in sequences))
        literals, start = b"", 0
        for length, match in sequences:
            literals += content[start : start + length]
            start += length + match
        literals += content[start:]
        assert len(literals) == count
        coded = [literals, b"", self.coded(literals, form), self.coded(literals, form)][kind] if kind != 1 else b""
        assert kind == 1 or len(coded) == stored - kept
        self.out.append(coded)
        self.stay(len(section))

    def coded(self, literals, form):
        if self.words is None or any(byte not in self.words for byte in literals):
            return b""
        if form == 0:
            return encode(self.words, literals)
        each = (len(literals) + 3) // 4
        streams = [encode(self.words, literals[at * each : (at + 1) * each]) for at in range(4)]
        return b"".join([len(stream).to_bytes(2, "little") for stream in streams[:3]] + streams)

    def sequences(self, data):
        """Returns lengths of literals and of copies."""
        first = data[0]
        wide = 1 if first < 128 else 2 if first < 255 else 3
        count = [first, (first - 128 << 8) + data[1 % len(data)], int.from_bytes(data[1:3], "little") + 0x7F00][wide - 1]
        if count == 0:
            return []
        modes, at = data[wide], wide + 1
        standard = [table_of(STANDARD_LITERALS, 6), table_of(STANDARD_OFFSETS, 5), table_of(STANDARD_MATCHES, 6)]
        for kind in range(3):
            mode = modes >> (6 - 2 * kind) & 3
            if mode == 0:
                self.tables[kind] = standard[kind]
            elif mode == 1:
                self.tables[kind], at = (0, [(data[at], 0, 0)]), at + 1
            elif mode == 2:
                self.tables[kind], used = read_table(data[at:])
                at += used
        bits, found = Backward(data[at:]), []
        states = [bits.take(log) for log, _ in self.tables]
        for number in range(count):
            literal, offset, match = (self.tables[kind][1][states[kind]] for kind in range(3))
            bits.take(offset[0])
            copied = MATCH_BASE[match[0]] + bits.take(MATCH_BITS[match[0]])
            found.append((LITERAL_BASE[literal[0]] + bits.take(LITERAL_BITS[literal[0]]), copied))
            if number + 1 < count:
                states[0] = literal[2] + bits.take(literal[1])
                states[2] = match[2] + bits.take(match[1])
                states[1] = offset[2] + bits.take(offset[1])
        assert bits.left == 0
        return found


def run(script, body, reader):
    """Returns what the steps of a script make of a body."""
    r, made, used = reader(script), [], 0
    while r.at < len(script):
        kind, length = r.u8(), r.varint()
        if kind == 2:
            made.append(r.take(length))
            continue
        assert kind in (1, 3, 4), "unknown step"
        taken = length if kind == 1 else r.varint()
        content = body[used : used + taken]
        used += taken
        if kind > 1:
            structure = r.take(r.varint())
            if kind == 4:
                content_length = r.varint()
                content = run(r.take(r.varint()), content, reader)
                assert len(content) == content_length
            content = Frame(structure, content).rebuild()
        assert len(content) == length
        made.append(content)
    assert used == len(body)
    return b"".join(made)


def rebuild(form, reader):
    assert form[:8] == b"TLUP\x01\0\0\0"
    script = len(form) - 8 - int.from_bytes(form[-8:], "little")
    return run(form[script:-8], form[8:script], reader)
