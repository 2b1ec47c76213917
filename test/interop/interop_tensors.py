"""What the scripts of test/interop share: a digest of named tensors, plain safetensors files, and the command line.

A script is run as `script.py write DIR [ARGS]` and `script.py load DIR [ARGS]`:
  write  trains and saves with the library at two consecutive steps, each into a folder of its own, DIR/step-1 and DIR/step-2, and the
         same tensors as DIR/reference/step-1.safetensors and step-2.safetensors
  load   loads what is in DIR, one of these folders as it was restored, with the library, and prints the digest of all tensors
"""
import hashlib, json, os, sys

DTYPES = {
    "float64": "F64", "float32": "F32", "float16": "F16", "bfloat16": "BF16", "int64": "I64", "int32": "I32", "int16": "I16",
    "int8": "I8", "uint8": "U8", "uint16": "U16", "uint32": "U32", "uint64": "U64", "bool": "BOOL",
}


def raw(tensor):
    """Returns (dtype, shape, bytes) of a numpy array, or of anything that numpy or torch makes one of."""
    dtype = str(tensor.dtype).removeprefix("torch.")
    dtype = dtype.replace("<dtype: '", "").replace("'>", "")
    shape = [int(size) for size in tensor.shape]
    if hasattr(tensor, "detach"):
        import torch
        flat = tensor.detach().cpu().contiguous().reshape(-1)
        return dtype, shape, flat.clone().view(torch.uint8).numpy().tobytes() if flat.numel() else b""
    import numpy
    return dtype, shape, numpy.ascontiguousarray(tensor).tobytes()


def digest(tensors):
    total = hashlib.sha256()
    for name in sorted(tensors):
        dtype, shape, data = raw(tensors[name])
        total.update(f"{name} {dtype} {shape} {len(data)}\n".encode())
        total.update(data)
    return total.hexdigest()


def step_folder(folder, step):
    path = os.path.join(folder, f"step-{step}")
    os.makedirs(path, exist_ok=True)
    return path


def write_reference(folder, step, tensors):
    """Writes a safetensors file, on any Python that has numpy or torch."""
    header, blobs, end = {}, [], 0
    for name, tensor in tensors.items():
        dtype, shape, data = raw(tensor)
        header[name] = {"dtype": DTYPES[dtype], "shape": shape, "data_offsets": [end, end + len(data)]}
        blobs.append(data)
        end += len(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    os.makedirs(os.path.join(folder, "reference"), exist_ok=True)
    with open(os.path.join(folder, "reference", f"step-{step}.safetensors"), "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text + b"".join(blobs))


def flatten(value, name=""):
    """Names all tensors in dicts and lists by their path."""
    if isinstance(value, dict):
        return {k: v for key, item in value.items() for k, v in flatten(item, f"{name}.{key}" if name else str(key)).items()}
    if isinstance(value, (list, tuple)):
        return {k: v for i, item in enumerate(value) for k, v in flatten(item, f"{name}.{i}" if name else str(i)).items()}
    return {name: value} if hasattr(value, "shape") and hasattr(value, "dtype") else {}


def main(write, load):
    """Runs `write(folder, *args)`, or `load(folder, *args)`, which returns tensors by name."""
    command, folder, *args = sys.argv[1:]
    if command == "write":
        write(folder, *args)
    else:
        tensors = load(folder, *args)
        print(json.dumps({"digest": digest(tensors), "tensors": len(tensors)}))
