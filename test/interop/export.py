"""Models for export and import, and what must hold of what comes out. Arguments: a command and a folder."""
import json
import os
import sys
import traceback

import torch
from huggingface_hub import split_torch_state_dict_into_shards
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

SHARD = 200_000


def models():
    """A model whose head is tied to its embeddings, and one that has a head of its own."""
    torch.manual_seed(0)
    yield "gpt2", GPT2LMHeadModel(GPT2Config(n_layer=2, n_head=2, n_embd=64, vocab_size=1000, n_positions=64))
    llama = dict(hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=2, vocab_size=1000)
    yield "llama", LlamaForCausalLM(LlamaConfig(**llama))


def edges():
    """All bf16 and f16 patterns and their neighbours between them, as f32."""
    halves = torch.arange(65536, dtype=torch.int32) << 16
    patterns = torch.cat([halves | low for low in (0, 1, 0x1000, 0x1FFF, 0x7FFF, 0x8000, 0x8001, 0xFFFF)])
    return patterns.to(torch.int32).view(torch.float32)


def write(folder):
    for name, model in models():
        model.save_pretrained(os.path.join(folder, name), max_shard_size=SHARD)
        torch.save({"model": model.state_dict(), "step": 5}, os.path.join(folder, f"{name}.pth"))
    values = edges()
    doubles = torch.cat([torch.randn(5000, dtype=torch.float64) * 10.0**e for e in range(-50, 50, 7)])
    torch.save({"model": {"edges": values, "doubles": doubles, "t": torch.randn(30, 40).t()}}, os.path.join(folder, "values.pth"))


def tensors_in(folder):
    names = [name for name in sorted(os.listdir(folder)) if name.endswith(".safetensors")]
    return {k: v for name in names for k, v in load_file(os.path.join(folder, name)).items()}


def same(a, b, what):
    """Equal values; NaNs are equal to one another."""
    assert a.dtype == b.dtype and a.shape == b.shape, (what, a.dtype, b.dtype, a.shape, b.shape)
    if a.is_floating_point():
        assert torch.equal(a.isnan(), b.isnan()), what
        a, b = a.nan_to_num(nan=0, posinf=float("inf"), neginf=-float("inf")), b.nan_to_num(nan=0, posinf=float("inf"), neginf=-float("inf"))
        assert torch.equal(a.signbit(), b.signbit()), what
    assert torch.equal(a, b), what


def loads(folder, name, exported):
    """from_pretrained gives the model that was saved."""
    path = os.path.join(folder, exported)
    config = os.path.join(path, "config.json")
    if not os.path.exists(config):
        os.symlink(os.path.join(folder, name, "config.json"), config)
    wanted = AutoModelForCausalLM.from_pretrained(os.path.join(folder, name))
    found, info = AutoModelForCausalLM.from_pretrained(path, output_loading_info=True)
    assert not info["missing_keys"] and not info["unexpected_keys"] and not info["mismatched_keys"], info
    for (key, value), (other, restored) in zip(wanted.state_dict().items(), found.state_dict().items(), strict=True):
        assert key == other
        same(value, restored, key)
    tokens = torch.arange(20).reshape(1, 20)
    assert torch.equal(wanted(tokens).logits, found(tokens).logits)


def shards(folder, name, exported):
    """Boundaries, names and the index are those of huggingface_hub, for the tensors in the order that the checkpoint has them."""
    order = json.load(open(os.path.join(folder, f"{exported}.order.json")))
    path = os.path.join(folder, exported)
    found = tensors_in(path)
    split = split_torch_state_dict_into_shards({key: found[key] for key in order if key in found}, max_shard_size=SHARD)
    index = json.load(open(os.path.join(path, "model.safetensors.index.json")))
    assert len(split.filename_to_tensors) > 1
    assert split.tensor_to_filename == index["weight_map"], (split.tensor_to_filename, index["weight_map"])
    assert split.metadata["total_size"] == index["metadata"]["total_size"]


def writes(folder, name, exported):
    """Each file is what safetensors itself writes of its tensors and metadata, but for the order of the metadata."""
    path = os.path.join(folder, exported)
    for file in sorted(os.listdir(path)):
        if not file.endswith(".safetensors"):
            continue
        ours = os.path.join(path, file)
        with safe_open(ours, "pt") as opened:
            metadata = opened.metadata()
        theirs = os.path.join(folder, "theirs.safetensors")
        save_file(load_file(ours), theirs, metadata=metadata)
        a, b = open(ours, "rb").read(), open(theirs, "rb").read()
        assert len(a) == len(b), (len(a), len(b))
        end = 8 + int.from_bytes(a[:8], "little")
        assert a[end:] == b[end:]
        one, other = json.loads(a[8:end]), json.loads(b[8:end])
        assert one == other and list(one) == list(other)


def casts(folder, _, exported):
    """Conversions are torch's."""
    wanted = torch.load(os.path.join(folder, "values.pth"))["model"]
    for name, dtype in (("bf16", torch.bfloat16), ("f16", torch.float16), ("f32", torch.float32)):
        found = load_file(os.path.join(folder, f"{exported}-{name}.safetensors"))
        for key, value in wanted.items():
            same(value.to(dtype).contiguous(), found[key], f"{key} as {name}")


def check(folder, wanted):
    """Does checks, [name, model, export] each, and prints what went wrong with each: all in one process, which takes long to start."""
    results = []
    for name, model, exported in json.loads(wanted):
        try:
            globals()[name](folder, model, exported)
            results.append(None)
        except Exception:
            results.append(traceback.format_exc())
    print(json.dumps(results))


if __name__ == "__main__":
    command, place, *rest = sys.argv[1:]
    {"write": write, "check": check}[command](place, *rest)
