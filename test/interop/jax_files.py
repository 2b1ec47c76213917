"""The state of a JAX program, saved without a library of checkpoints. Arguments: npz or safetensors."""
import os
import numpy as np
from safetensors.numpy import load_file, save_file
from interop_tensors import main, step_folder, write_reference
from jax_training import flat, train


def write(folder, form):
    states = train()
    for step in (1, 2):
        arrays = flat(next(states))
        path = os.path.join(step_folder(folder, step), f"state.{form}")
        np.savez(path, **arrays) if form == "npz" else save_file(arrays, path)
        write_reference(folder, step, arrays)


def load(folder, form):
    path = os.path.join(folder, f"state.{form}")
    return dict(np.load(path)) if form == "npz" else load_file(path)


main(write, load)
