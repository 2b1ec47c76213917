"""Which lanes are marked, for decode_record.py: FORMAT.md, "Marked lanes"."""
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
