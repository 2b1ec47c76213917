#!/usr/bin/env python3
"""Loads original and restored checkpoints with the real libraries and compares all that is in them, bit for bit.

Usage: compare_restored.py ORIGINAL RESTORED [ORIGINAL RESTORED ...]
       each a file, or a folder whose files are compared one by one (by relative path)

Torch files: every tensor's dtype, shape, strides, offset and bits, and all plain data with its types (param groups, schedulers,
generators); safetensors, npy and npz: every array and the metadata; other files: their bytes. A file that this torch or numpy
is too old to load is compared byte for byte and counted as such. Needs torch 1.13 or newer.
Exit 0: all equal; 1: a difference, named; 2: wrong usage.
"""
import enum, os, pickle, struct, sys
import numpy as np, torch

try:
    import safetensors.torch
    from safetensors import safe_open
except ImportError:
    safetensors = None

TORCH = {".pt", ".pth", ".bin"}


class Difference(Exception):
    pass


class Unreadable(Exception):
    """The original itself cannot be loaded here."""


class Absent:
    """Stands for an object whose class this machine does not have: keeps what it was made from."""

    def __new__(cls, *arguments, **options):
        self = object.__new__(cls)
        self.arguments = (arguments, options)
        return self

    def __init__(self, *arguments, **options):
        pass

    def __setstate__(self, state):
        self.state = state


STUBS = {}


class StubUnpickler(pickle.Unpickler):
    def find_class(self, module, name):
        try:
            return super().find_class(module, name)
        except ModuleNotFoundError:
            return STUBS.setdefault((module, name), type(name, (Absent,), {"__module__": module}))


class stub_pickle:
    """What torch.load takes as its pickle module: the standard one, classes that are not installed stubbed."""
    Unpickler, load, loads = StubUnpickler, staticmethod(pickle.load), staticmethod(pickle.loads)


def load_torch(path):
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError):
        pass
    # Whole modules, numpy generators, arguments: our own fixtures, so executing their pickles is fine.
    return torch.load(path, map_location="cpu", weights_only=False, pickle_module=stub_pickle)


def tensor_bits(tensor):
    return tensor.detach().contiguous().reshape(-1).clone().view(torch.uint8) if tensor.numel() else torch.empty(0, dtype=torch.uint8)


def compare_tensors(a, b, at):
    for what in ("dtype", "shape", "layout", "device", "requires_grad"):
        if getattr(a, what) != getattr(b, what):
            raise Difference(f"{at}: {what} {getattr(a, what)} became {getattr(b, what)}")
    if a.layout == torch.sparse_coo:
        return compare_all([("indices", a._indices(), b._indices()), ("values", a._values(), b._values())], at)
    if a.layout == torch.sparse_csr:
        return compare_all([(n, getattr(a, n)(), getattr(b, n)()) for n in ("crow_indices", "col_indices", "values")], at)
    if (a.stride(), a.storage_offset()) != (b.stride(), b.storage_offset()):
        raise Difference(f"{at}: stride {a.stride()} at {a.storage_offset()} became {b.stride()} at {b.storage_offset()}")
    if not torch.equal(tensor_bits(a), tensor_bits(b)):
        raise Difference(f"{at}: bits differ")


def compare_all(parts, at):
    return sum(compare(a, b, f"{at}.{name}") for name, a, b in parts)


def compare(a, b, at, seen=None):
    """Compares two values and returns how many tensors were in them."""
    seen = set() if seen is None else seen
    if type(a) is not type(b):
        raise Difference(f"{at}: {type(a).__name__} became {type(b).__name__}")
    if isinstance(a, torch.Tensor):
        compare_tensors(a, b, at)
        return 1
    if isinstance(a, np.ndarray) and a.dtype != object:
        if (a.dtype, a.shape, a.strides, a.tobytes("A")) != (b.dtype, b.shape, b.strides, b.tobytes("A")):
            raise Difference(f"{at}: arrays differ")
        return 1
    if isinstance(a, float):
        if struct.pack("<d", a) != struct.pack("<d", b):
            raise Difference(f"{at}: {a!r} became {b!r}")
        return 0
    if a is None or isinstance(a, (bool, int, str, bytes, bytearray, set, frozenset, enum.Enum, np.generic, torch.dtype, torch.device, type)):
        if a != b:
            raise Difference(f"{at}: {a!r} became {b!r}")
        return 0
    if id(a) in seen:
        return 0
    seen.add(id(a))
    if isinstance(a, dict):
        if list(a) != list(b):
            raise Difference(f"{at}: keys {list(a)} became {list(b)}")
        return sum(compare(a[k], b[k], f"{at}.{k}", seen) for k in a) + compare_attributes(a, b, at, seen)
    if isinstance(a, (list, tuple, np.ndarray)):
        if len(a) != len(b):
            raise Difference(f"{at}: {len(a)} items became {len(b)}")
        return sum(compare(x, y, f"{at}[{i}]", seen) for i, (x, y) in enumerate(zip(a, b)))
    if callable(a) and hasattr(a, "__qualname__"):
        if a is not b:
            raise Difference(f"{at}: {a} became {b}")
        return 0
    return compare_attributes(a, b, at, seen)


def compare_attributes(a, b, at, seen):
    return compare(a.__dict__, b.__dict__, at, seen) if getattr(a, "__dict__", None) else 0


def compare_safetensors(a, b):
    if safetensors is None:
        raise Unreadable("no safetensors library")
    with safe_open(a, "pt") as x, safe_open(b, "pt") as y:
        compare(*(sorted((file.metadata() or {}).items()) for file in (x, y)), "metadata")   # a hash map: no order
        return compare({k: x.get_tensor(k) for k in x.keys()}, {k: y.get_tensor(k) for k in y.keys()}, "")


def load_numpy(path):
    loaded = np.load(path, allow_pickle=True)
    return loaded if isinstance(loaded, np.ndarray) else dict(loaded)


def compare_loaded(load, a, b):
    try:
        original = load(a)
    except Exception as error:   # whatever an older library throws
        raise Unreadable(f"torch {torch.__version__}, numpy {np.__version__}: {type(error).__name__} {str(error)[:80]!r}")
    return compare(original, load(b), "")


def compare_numpy(a, b):
    return compare_loaded(load_numpy, a, b)


def compare_torch(a, b):
    return compare_loaded(load_torch, a, b)


def compare_files(a, b):
    """Returns (tensors, note): note says why only the bytes were compared, or is None."""
    extension = os.path.splitext(a)[1]
    by_library = {".safetensors": compare_safetensors, ".npy": compare_numpy, ".npz": compare_numpy}.get(extension)
    by_library = compare_torch if extension in TORCH else by_library
    note = None
    if by_library:
        try:
            return by_library(a, b), None
        except Unreadable as error:
            note = str(error)
    with open(a, "rb") as x, open(b, "rb") as y:
        if x.read() != y.read():
            raise Difference("bytes differ")
    return 0, note


def files_below(folder):
    return sorted(os.path.relpath(os.path.join(top, name), folder) for top, _, names in os.walk(folder) for name in names)


def pairs(a, b):
    if not os.path.isdir(a):
        return [(a, b)]
    found, restored = files_below(a), files_below(b)
    if found != restored:
        raise Difference(f"{b}: files differ: {sorted(set(found) ^ set(restored))}")
    return [(os.path.join(a, name), os.path.join(b, name)) for name in found]


def main(arguments):
    if not arguments or len(arguments) % 2:
        print(__doc__, file=sys.stderr)
        return 2
    files = tensors = bytes_only = failures = 0
    for original, restored in zip(arguments[::2], arguments[1::2]):
        try:
            todo = pairs(original, restored)
        except Difference as difference:
            failures += 1
            print(f"DIFFERENT {difference}")
            continue
        for a, b in todo:
            try:
                count, note = compare_files(a, b)
                files, tensors = files + 1, tensors + count
                if note:
                    bytes_only += 1
                    print(f"bytes only {b}: {note}")
            except Exception as error:
                failures += 1
                print(f"DIFFERENT {b}: {error if isinstance(error, Difference) else f'{type(error).__name__}: {error}'}")
    print(f"torch {torch.__version__}: {files} files and {tensors} tensors equal, {bytes_only} files by bytes only, {failures} different")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
