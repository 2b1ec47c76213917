"""Predictions of update rules, from FORMAT.md, "Rules": single precision by rounding doubles, which is exact for one operation."""
import math
import struct

NAN = 0x7fc00000


def single(x):
    """Rounds a double to single precision."""
    try:
        return struct.unpack('<f', struct.pack('<f', x))[0]
    except OverflowError:
        return math.copysign(math.inf, x)


def bits_of(x):
    return NAN if x != x else struct.unpack('<I', struct.pack('<f', x))[0]


def float_of(bits):
    return struct.unpack('<f', struct.pack('<I', bits))[0]


def quotient(a, b):
    if b != 0:
        return single(a / b)
    if a == 0 or a != a or b != b:
        return math.nan
    return math.copysign(math.inf, a) * math.copysign(1, b)


def root(x):
    return single(math.sqrt(x)) if x >= 0 or x != x else math.nan


def add(a, b):
    return single(a + b)


def mul(a, b):
    return single(a * b)


def fused(a, b, c):
    return single(a * b + c)


def shortened(x, drop):
    if x != x:
        return x
    bits = bits_of(x)
    return float_of((bits + (1 << (drop - 1)) - 1 + ((bits >> drop) & 1)) >> drop << drop & 0xffffffff)


def gradient(m, m0, beta, rest, products):
    inverse = 1 / rest if rest != 0 else math.copysign(math.inf, rest)
    return single((m - beta * m0) * inverse if products else m0 + (m - m0) * inverse)


def second_moment(order, k, v0, m, m0):
    g = gradient(m, m0, k[0], k[1], order & 1)
    drop = (0, 16, 13)[order >> 1 & 3]
    g = shortened(g, drop) if drop else g
    kind = order >> 3
    if kind == 0:
        return fused(mul(k[3], g), g, mul(v0, k[2]))
    if kind == 1:
        return fused(k[3], mul(g, g), mul(v0, k[2]))
    square = mul(k[3], mul(g, g)) if kind & 1 else mul(mul(k[3], g), g)
    return add(mul(v0, k[2]), square) if kind < 4 else fused(v0, k[2], square)


def adam_weights(order, k, w, m, v):
    decay, scale, bias1, bias2, eps = k
    kind = order >> 2 & 3
    if kind == 2:
        d = add(root(quotient(v, bias2)), eps)
    elif kind == 3:
        d = fused(root(v), bias2, eps)
    else:
        d = add(mul(root(v), bias2) if kind else quotient(root(v), bias2), eps)
    kind = order & 3
    p = (w, mul(w, decay), add(w, -mul(decay, w)), fused(-decay, w, w))[kind]
    kind = order >> 4
    if kind == 0:
        return add(p, quotient(mul(scale, m), d))
    if kind == 1:
        return add(p, mul(scale, quotient(m, d)))
    if kind == 2:
        return fused(scale, quotient(m, d), p)
    if kind == 7:
        return add(p, quotient(m, d))
    u = quotient(quotient(m, bias1), d)
    if kind == 3:
        return add(p, mul(scale, u))
    if kind == 4:
        return fused(scale, u, p)
    if kind == 5:
        return add(p, mul(scale, add(u, mul(decay, w))))
    return fused(scale, fused(decay, w, u), p)


def momentum_weights(order, k, w, step):
    return fused(k[0], step, w) if order else add(w, mul(k[0], step))


def nesterov_weights(order, k, w, buffer, buffer0):
    g = gradient(buffer, buffer0, k[1], k[2], True)
    step = fused(k[1], buffer, g) if order else add(g, mul(k[1], buffer))
    return momentum_weights(order, k, w, step)


def first_moment(order, k, m0, g):
    if order == 0:
        return fused(k[1], add(g, -m0), m0)
    if order == 1:
        return add(m0, mul(k[1], add(g, -m0)))
    if order == 2:
        return fused(k[1], g, mul(m0, k[0]))
    square = mul(k[1], g)
    return add(mul(m0, k[0]), square) if order == 3 else fused(m0, k[0], square)


# predictor id: (formula, constants)
RULES = {4: (second_moment, 4), 5: (adam_weights, 5), 6: (momentum_weights, 3), 7: (nesterov_weights, 3),
         8: (first_moment, 2)}


def predict(formula, order, constants, inputs):
    """The predicted f32 lanes, as bytes; inputs are f32 lanes."""
    lanes = [struct.unpack(f'<{len(data) // 4}f', data) for data in inputs]
    values = [formula(order, constants, *lane) for lane in zip(*lanes)]
    return struct.pack(f'<{len(values)}I', *map(bits_of, values))


def widened(data):
    """bf16 lanes as f32 lanes."""
    return b''.join(b'\0\0' + data[at:at + 2] for at in range(0, len(data), 2))


def cast(source, target, data):
    """source and target are dtype ids: 13 f16, 14 bf16, 15 f32."""
    if target == 15:
        if source == 14:
            return widened(data)
        return b''.join(wide_half(half).to_bytes(4, 'little') for half in struct.unpack(f'<{len(data) // 2}H', data))
    words = struct.unpack(f'<{len(data) // 4}I', data)
    return b''.join((bf16_of(word) if target == 14 else f16_of(word)).to_bytes(2, 'little') for word in words)


def bf16_of(word):
    if word & 0x7fffffff > 0x7f800000:
        return 0x7fc0
    return (word + 0x7fff + (word >> 16 & 1)) >> 16


def f16_of(word):
    if word & 0x7fffffff > 0x7f800000:
        return 0x7e00
    try:
        return int.from_bytes(struct.pack('<e', float_of(word)), 'little')
    except OverflowError:
        return word >> 16 & 0x8000 | 0x7c00


def wide_half(half):
    if half & 0x7c00 == 0x7c00:
        return (half & 0x8000) << 16 | 0x7f800000 | (half & 0x3ff) << 13
    return bits_of(struct.unpack('<e', half.to_bytes(2, 'little'))[0])
