#!/usr/bin/env python3
"""What the reference readers find in model files: one JSON line in, one out, as often as wanted.

Usage: reference_readers.py LIBRARY [MEGABYTES]      LIBRARY: safetensors or torch; MEGABYTES: of memory, 4096 if not given
In:  {"bytes": BASE64}
Out: {"tensors": [[NAME, DTYPE, SHAPE, HEX], ...], "by": READER} or {"error": TEXT}; HEX is null beyond 64 KiB

torch files are read by torch.load(weights_only=True). What that refuses for a class or an opcode that it does not know is read again
as ordinary pickle ("by": "pickle") in which only torch's own builders of tensors are called; every other class is an inert stand-in.
A file that takes longer than 10 seconds, or more memory than allowed, is an error, too.
"""
import base64, collections, io, json, pickle, re, resource, signal, sys, warnings

SECONDS_MAX = 10
BYTES_MAX = 65536
TENSORS_MAX = 10000


class TooSlow(BaseException):
    pass


def too_slow(*_):
    raise TooSlow


class Inert:
    """Stands for an object of any class: keeps what it was made from, and runs nothing."""

    def __new__(cls, *arguments, **options):
        self = object.__new__(cls)
        self.arguments, self.state, self.items, self.entries = arguments, None, [], {}
        return self

    def __init__(self, *arguments, **options):
        pass

    def __call__(self, *arguments):
        return Inert(*arguments)

    def __setstate__(self, state):
        self.state = state

    def __setitem__(self, key, value):
        self.entries[key] = value

    def append(self, value):
        self.items.append(value)

    add = append


def harmless(torch):
    """What may be found by name in a pickle: nothing that does more than make a tensor or a container."""
    found = {("torch", "Size"): torch.Size, ("torch", "device"): torch.device}
    for name in ("OrderedDict", "defaultdict", "Counter"):
        found["collections", name] = getattr(collections, name)
    for name in ("_rebuild_tensor", "_rebuild_tensor_v2", "_rebuild_tensor_v3", "_rebuild_parameter", "_rebuild_parameter_with_state"):
        found["torch._utils", name] = getattr(torch._utils, name)
    for module in ("builtins", "__builtin__"):
        for plain in (set, frozenset, list, dict, tuple, bytearray, complex):
            found[module, plain.__name__] = plain
    found.update({("torch", str(value)[6:]): value for value in vars(torch).values() if isinstance(value, torch.dtype)})
    return found


def torch_reader():
    import torch

    known = harmless(torch)
    stand_ins = {}

    class Unpickler(pickle.Unpickler):
        def find_class(self, module, name):
            if (module, name) in known:
                return known[module, name]
            if re.fullmatch("torch(\\.storage|\\.cuda)?", module) and name.endswith("Storage"):
                return getattr(torch, name, None) or getattr(torch.storage, name)
            return stand_ins.setdefault((module, name), type("Inert", (Inert,), {}))

    class inert_pickle:
        load = staticmethod(lambda file, **options: Unpickler(file, **options).load())

    inert_pickle.Unpickler = Unpickler

    def load(content, **how):
        return list(named_tensors(torch, torch.load(io.BytesIO(content), map_location="cpu", **how)))

    def read(content):
        try:
            return load(content, weights_only=True), "weights_only"
        except Exception as error:
            refused = f"{type(error).__name__} {error}"
        try:
            return load(content, weights_only=False, pickle_module=inert_pickle), "pickle"
        except Exception as error:
            raise ValueError(f"{error!r}; weights_only: {refused[:100]}")

    return read


class Unplain(Exception):
    """A tensor that is made of several."""


def named_tensors(torch, top):
    """Every tensor of the loaded object under the name that a user would give it."""
    names = {torch.float32: "f32", torch.float64: "f64", torch.float16: "f16", torch.bfloat16: "bf16", torch.bool: "bool",
             torch.complex64: "c64", torch.complex128: "c128", torch.float8_e4m3fn: "f8e4m3", torch.float8_e5m2: "f8e5m2"}
    open_now, count = set(), 0

    def below(path, key):
        return f"{path}.{key}" if path else str(key)

    def walk(value, path):
        nonlocal count
        if isinstance(value, torch.Tensor):
            if value.layout != torch.strided or value.is_quantized:
                raise Unplain(str(value.layout))
            count += 1
            if count > TENSORS_MAX:
                raise ValueError("too many tensors")
            dtype = names.get(value.dtype, re.sub("^torch.(u?)(int)?", "\\1i", str(value.dtype)).replace("ui", "u"))
            yield [path or "tensor", dtype, list(value.shape), bits(torch, value)]
            return
        if id(value) in open_now:
            return
        open_now.add(id(value))
        for key, item in parts(value):
            yield from walk(item, path if key is None else below(path, key))
        open_now.discard(id(value))

    yield from walk(top, "optimizer" if is_optimizer(top) else "")


def is_optimizer(value):
    return isinstance(value, dict) and isinstance(value.get("param_groups"), (list, tuple)) and isinstance(value.get("state"), (dict, Inert))


def parts(value):
    """What is in a container, with the key of each; None for what adds nothing to the name."""
    if isinstance(value, dict):
        return [(key_text(key), item) for key, item in value.items()]
    if isinstance(value, (list, tuple, set, frozenset)):
        return list(enumerate(value))
    if not isinstance(value, Inert):
        return []
    state = value.state
    if isinstance(state, dict) and "_parameters" in state and "_modules" in state:
        return [(None if key in ("_parameters", "_buffers", "_modules") else key_text(key), item) for key, item in state.items()]
    entries = [(key_text(key), item) for key, item in value.entries.items()]
    return [*enumerate(value.arguments), (None, state), *enumerate(value.items), *entries]


def key_text(key):
    if isinstance(key, bool):
        return str(key).lower()
    if isinstance(key, (list, tuple)):
        return "(" + ",".join(key_text(item) if isinstance(item, (str, int)) else "?" for item in key[:8]) + ")"
    return str(key) if isinstance(key, (str, int)) else "?"


def bits(torch, tensor):
    if tensor.numel() * tensor.element_size() > BYTES_MAX:
        return None
    flat = tensor.detach().resolve_conj().resolve_neg().contiguous().reshape(-1).clone()
    return bytes(flat.view(torch.uint8).numpy()).hex() if tensor.numel() else ""


def safetensors_reader():
    from safetensors import deserialize

    def read(content):
        return [[name, part["dtype"], part["shape"], bytes(part["data"]).hex()] for name, part in deserialize(content)], "safetensors"

    return read


READERS = {"safetensors": safetensors_reader, "torch": torch_reader}


def main(library, megabytes=4096):
    sys.setrecursionlimit(20000)
    warnings.simplefilter("ignore")
    read = READERS[library]()
    resource.setrlimit(resource.RLIMIT_DATA, (int(megabytes) << 20,) * 2)
    signal.signal(signal.SIGALRM, too_slow)
    for line in sys.stdin:
        try:
            signal.alarm(SECONDS_MAX)
            tensors, by = read(base64.b64decode(json.loads(line)["bytes"]))
            answer = {"tensors": tensors, "by": by}
        except (Exception, TooSlow) as error:
            answer = {"error": f"{type(error).__name__}: {error}"[:300]}
        finally:
            signal.alarm(0)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
