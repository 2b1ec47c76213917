#!/usr/bin/env python3
"""What Python programs do with a checkpoint: rivals.py BASE NEXT FOLDER. Prints one JSON line for each method.

Needs numpy, and torch for .pth; safetensors, and a zstd command or module, add methods. Each method saves the tensors of NEXT,
syncs them, restores them and compares; the methods with a base store differences to it.
"""
import json, os, shutil, subprocess, sys, time

import numpy as np


def load(path):
    """Tensors by name, as flat arrays of unsigned integers, and the state as torch has it."""
    if path.endswith(".safetensors"):
        from safetensors.numpy import load_file  # bf16 has no numpy type: read the bytes ourselves
        raw = open(path, "rb").read()
        length = int.from_bytes(raw[:8], "little")
        arrays = {}
        for name, entry in json.loads(raw[8:8 + length]).items():
            if name == "__metadata__":
                continue
            start, end = (8 + length + offset for offset in entry["data_offsets"])
            arrays[name] = np.frombuffer(raw[start:end], np.uint16 if entry["dtype"] == "BF16" else np.uint32)
        return arrays, None
    import torch
    state = torch.load(path, weights_only=True)
    arrays = {}

    def walk(value, name):
        if isinstance(value, torch.Tensor):
            if value.dim() > 0:
                arrays[name] = value.detach().contiguous().view(-1).numpy().view(np.uint32)
        elif isinstance(value, dict):
            for key, item in value.items():
                walk(item, f"{name}.{key}")

    walk(state, "")
    return arrays, state


def sync(folder):
    for root, _, names in os.walk(folder):
        for name in names:
            with open(os.path.join(root, name), "rb+") as file:
                os.fsync(file.fileno())


def below(folder):
    return sum(os.path.getsize(os.path.join(root, name)) for root, _, names in os.walk(folder) for name in names)


def report(method, size, folder, save, restore, stall=None):
    """Times save and restore in a fresh folder; restore answers whether all is the same."""
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    line = {"method": method}
    try:
        started = time.perf_counter()
        blocked = save()
        sync(folder)
        line["save"] = size / (time.perf_counter() - started) / 1e9
        if blocked is not None:
            line["stallSeconds"] = blocked
        line["bytes"] = below(folder)
        line["ratio"] = size / line["bytes"]
        started = time.perf_counter()
        restored = restore()
        line["restore"] = size / (time.perf_counter() - started) / 1e9
        if not restored():
            line = {"method": method, "skipped": "restored tensors differ"}
    except Exception as error:
        line = {"method": method, "skipped": f"{type(error).__name__}: {error}".split("\n")[0][:200]}
    print(json.dumps(line), flush=True)


def zstd(data, *options):
    return subprocess.run(["zstd", "-qc", *options], input=data, stdout=subprocess.PIPE, check=True).stdout


def planes(array):
    width = array.dtype.itemsize
    return array.view(np.uint8).reshape(-1, width).T.tobytes()


def unplanes(data, dtype):
    width = np.dtype(dtype).itemsize
    return np.frombuffer(data, np.uint8).reshape(width, -1).T.copy().view(dtype).reshape(-1)


def plane_methods(base, arrays, size, folder):
    path = os.path.join(folder, "planes.zst")
    names = list(arrays)
    types = {name: arrays[name].dtype for name in names}

    def residual(name, xor):
        known = base.get(name)
        return arrays[name] ^ known if xor and known is not None and known.shape == arrays[name].shape else arrays[name]

    for method, xor in (("byte planes + zstd -3", False), ("XOR + byte planes + zstd -3", True)):
        def save():
            by_type = {}
            for name in names:
                by_type.setdefault(types[name].str, []).append(residual(name, xor))
            blob = b"".join(planes(np.concatenate(group)) for group in by_type.values())
            open(path, "wb").write(zstd(blob, "-3"))

        def restore():
            blob, at, found = zstd(open(path, "rb").read(), "-d"), 0, {}
            for kind in dict.fromkeys(types[name].str for name in names):
                group = [name for name in names if types[name].str == kind]
                length = sum(arrays[name].nbytes for name in group)
                flat = unplanes(blob[at:at + length], kind)
                at += length
                start = 0
                for name in group:
                    part = flat[start:start + arrays[name].size]
                    start += arrays[name].size
                    known = base.get(name)
                    found[name] = part ^ known if xor and known is not None and known.shape == part.shape else part
            return lambda: all(np.array_equal(found[name], arrays[name]) for name in names)

        report(method, size, folder, save, restore)


def torch_methods(state, arrays, size, folder):
    import torch
    import torch.distributed as dist
    import torch.distributed.checkpoint as dcp

    flat = {name: torch.from_numpy(array.view(np.float32)) for name, array in arrays.items()}
    same = lambda found: all(np.array_equal(found[name].numpy().view(np.uint32), arrays[name]) for name in flat)
    path = os.path.join(folder, "file")

    def load_saved():
        found = torch.load(path, weights_only=True)
        return lambda: same(found)

    report("torch.save", size, folder, lambda: torch.save(flat, path), load_saved)
    try:
        from safetensors.torch import load_file, save_file

        def load_tensors():
            found = load_file(path)
            return lambda: same(found)

        report("safetensors", size, folder, lambda: save_file(flat, path), load_tensors)
    except ImportError:
        print(json.dumps({"method": "safetensors", "skipped": "the module is not here"}), flush=True)

    dist.init_process_group("gloo", init_method=f"file://{folder}-rendezvous", rank=0, world_size=1)

    def dcp_load():
        found = {name: torch.empty_like(tensor) for name, tensor in flat.items()}
        dcp.load(found, storage_reader=dcp.FileSystemReader(folder))
        return lambda: same(found)

    def dcp_save(**options):
        dcp.save(flat, storage_writer=dcp.FileSystemWriter(folder, **options))

    def dcp_async():
        started = time.perf_counter()
        future = dcp.async_save(flat, storage_writer=dcp.FileSystemWriter(folder))
        blocked = time.perf_counter() - started
        getattr(future, "upload_completion", future).result()
        return blocked

    report("DCP", size, folder, dcp_save, dcp_load)
    report("DCP async_save", size, folder, dcp_async, dcp_load)
    try:
        from torch.distributed.checkpoint._extension import ZStandard
        extensions = [ZStandard()]
        report("DCP with zstd", size, folder, lambda: dcp_save(_extensions=extensions), dcp_load)
    except Exception as error:
        print(json.dumps({"method": "DCP with zstd", "skipped": str(error)[:200]}), flush=True)
    dist.destroy_process_group()


def main(base_path, next_path, folder):
    base, _ = load(base_path)
    arrays, state = load(next_path)
    size = os.path.getsize(next_path)
    plane_methods(base, arrays, size, folder)
    if state is None:
        return
    torch_methods(state, arrays, size, folder)


main(*sys.argv[1:4])
