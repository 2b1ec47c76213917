"""Weights of a small training as gguf-py writes them, with the types that llama.cpp mixes in a quantized model."""
import os
import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type
from interop_tensors import main, step_folder, write_reference

FEATURES, HIDDEN, CLASSES = 128, 256, 128
KINDS = {"up.weight": Type.F16, "mid.weight": Type.Q8_0, "out.weight": Type.BF16}


def train():
    """Gradient descent on a classifier of two hidden layers; yields its weights after each step."""
    random = np.random.default_rng(1)
    shapes = {"up": (HIDDEN, FEATURES), "mid": (HIDDEN, HIDDEN), "out": (CLASSES, HIDDEN)}
    weights = {f"{name}.weight": random.normal(0, 0.05, shape).astype("f4") for name, shape in shapes.items()}
    weights |= {f"{name}.bias": np.zeros(shape[0], "f4") for name, shape in shapes.items()}
    x = random.normal(size=(64, FEATURES)).astype("f4")
    y = random.integers(0, CLASSES, 64)
    while True:
        layers = [x]
        for name in ("up", "mid"):
            layers.append(np.tanh(layers[-1] @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]))
        scores = layers[-1] @ weights["out.weight"].T + weights["out.bias"]
        chances = np.exp(scores - scores.max(1, keepdims=True))
        grad = chances / chances.sum(1, keepdims=True)
        grad[np.arange(64), y] -= 1
        for name, inputs in zip(("out", "mid", "up"), reversed(layers)):
            weight = weights[f"{name}.weight"]
            down = (grad @ weight) * (1 - inputs**2)
            weights[f"{name}.weight"] = weight - 1e-3 * grad.T @ inputs
            weights[f"{name}.bias"] = weights[f"{name}.bias"] - 1e-3 * grad.sum(0)
            grad = down
        yield weights


def write(folder):
    steps = train()
    for _ in range(50):
        next(steps)
    for step in (1, 2):
        writer = gguf.GGUFWriter(os.path.join(step_folder(folder, step), "model.gguf"), "tiny")
        writer.add_token_list([f"token {index}" for index in range(1000)])
        plain = {}
        for name, values in next(steps).items():
            kind = KINDS.get(name, Type.F32)
            data = gguf.quants.quantize(values, kind)
            writer.add_tensor(name, data, raw_dtype=kind)
            plain[name] = data
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        write_reference(folder, step, plain)


def load(folder):
    reader = gguf.GGUFReader(os.path.join(folder, "model.gguf"))
    return {tensor.name: tensor.data for tensor in reader.tensors}


main(write, load)
