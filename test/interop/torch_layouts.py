"""Training directories around torch.save. Arguments: which one.

accelerate  Accelerator.save_state      lightning  pytorch_lightning.Trainer
deepspeed   ZeRO: fp32 weights and moments in flat partitions of two processes; the files as DeepSpeed names them
megatron    mixed precision with fp32 weights in lists beside the optimizer; the files as Megatron-LM names them
"""
import glob, os, sys, types
from dataclasses import dataclass
import torch
from interop_tensors import flatten, main, step_folder, write_reference
from torch_files import model_of, train

FIRST = 20


def files_in(folder):
    return sorted(path for path in glob.glob(os.path.join(folder, "**", "*"), recursive=True) if os.path.isfile(path))


def load(folder, layout):
    from safetensors.torch import load_file
    tensors = {}
    for path in files_in(folder):
        name = os.path.relpath(path, folder)
        if path.endswith(".safetensors"):
            tensors.update({f"{name}:{key}": value for key, value in load_file(path).items()})
        elif path.endswith((".pt", ".pth", ".bin", ".ckpt", ".pkl")):
            tensors.update({f"{name}:{key}": value for key, value in flatten(torch.load(path, weights_only=False)).items()})
    return tensors


def reference(folder, at):
    """The tensors of all files but the states of random generators; files may have the same names in them."""
    tensors = load(os.path.join(folder, f"step-{at}"), None)
    plain = {}
    for key, value in tensors.items():
        file, name = key.split(":", 1)
        optimizer = "optim" in file and not name.startswith("optim") and "optimizer" not in name
        if "rng" not in name and "random" not in file:
            plain[f"optimizer.{name}" if optimizer else name] = value
    write_reference(folder, at, plain)


def write_accelerate(folder):
    from accelerate import Accelerator
    accelerator = Accelerator(cpu=True)
    model = model_of()
    model, optimizer = accelerator.prepare(model, torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.01))
    train(model, optimizer, FIRST)
    for at in (1, 2):
        train(model, optimizer, 1)
        accelerator.save_state(os.path.join(step_folder(folder, at), "checkpoint"))


def write_lightning(folder):
    import pytorch_lightning as lightning

    class Module(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.model = model_of()

        def training_step(self, batch, _):
            return (self.model(batch) - batch.roll(1, 1)).square().mean()

        def configure_optimizers(self):
            return torch.optim.AdamW(self.parameters(), lr=1e-3, weight_decay=0.01)

    class Save(lightning.Callback):
        def on_train_batch_end(self, trainer, *_):
            at = trainer.global_step - FIRST
            if at in (1, 2):
                trainer.save_checkpoint(os.path.join(step_folder(folder, at), "last.ckpt"))

    data = torch.utils.data.DataLoader(torch.randn(64 * (FIRST + 2), 128), batch_size=64)
    trainer = lightning.Trainer(
        max_steps=FIRST + 2, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, callbacks=[Save()])
    trainer.fit(Module(), data)


@dataclass
class fragment_address:
    numel: int
    start: int


def deepspeed_class():
    """Has the class pickled, and found again, under DeepSpeed's name."""
    for name in ("deepspeed", "deepspeed.utils", "deepspeed.utils.tensor_fragment"):
        sys.modules.setdefault(name, types.ModuleType(name))
    fragment_address.__module__ = "deepspeed.utils.tensor_fragment"
    sys.modules["deepspeed.utils.tensor_fragment"].fragment_address = fragment_address


RANKS = 2


def write_deepspeed(folder):
    """ZeRO stage 1 of two processes, as runtime/zero/stage_1_and_2.py and runtime/engine.py save it: bf16 weights that are views of one
    flat tensor, of which each process trains its half in fp32; the last half has padding."""
    model = model_of().bfloat16()
    # An odd number of elements, of which the padding follows.
    model.register_parameter("scale", torch.nn.Parameter(torch.ones(3, dtype=torch.bfloat16)))
    parameters = dict(model.named_parameters())
    count = sum(parameter.numel() for parameter in parameters.values())
    size = -(-count // (2 * RANKS)) * 2
    flat = torch.zeros(RANKS * size, dtype=torch.bfloat16)
    starts, start = {}, 0
    for name, parameter in parameters.items():
        starts[name] = start
        flat[start:start + parameter.numel()] = parameter.detach().reshape(-1)
        parameter.data = flat[start:start + parameter.numel()].view_as(parameter)
        start += parameter.numel()
    shards = [torch.nn.Parameter(flat[rank * size:(rank + 1) * size].float()) for rank in range(RANKS)]
    optimizers = [torch.optim.AdamW([shard], lr=1e-3, weight_decay=0.01) for shard in shards]

    def step():
        model.zero_grad()
        x = torch.randn(64, 128).bfloat16()
        (model(x) * model.scale.sum() - x.roll(1, 1)).square().mean().backward()
        gradient = torch.zeros(RANKS * size)
        for name, parameter in parameters.items():
            gradient[starts[name]:starts[name] + parameter.numel()] = parameter.grad.float().reshape(-1)
        for rank, (shard, optimizer) in enumerate(zip(shards, optimizers)):
            shard.grad = gradient[rank * size:(rank + 1) * size]
            optimizer.step()
            flat[rank * size:(rank + 1) * size] = shard.detach().bfloat16()

    def addresses(rank):
        found = {}
        for name, parameter in parameters.items():
            begin, end = max(starts[name], rank * size), min(starts[name] + parameter.numel(), (rank + 1) * size)
            if begin < end:
                found[name] = fragment_address(numel=end - begin, start=begin - rank * size)
        return found

    for number in range(1, FIRST + 3):
        step()
        at = number - FIRST
        if at < 1:
            continue
        name = f"global_step{number}"
        inner = os.path.join(step_folder(folder, at), name)
        os.makedirs(inner)
        states = {
            "module": model.state_dict(), "buffer_names": [], "optimizer": None,
            "param_shapes": [{key: parameter.shape for key, parameter in parameters.items()}], "frozen_param_shapes": None,
            "lr_scheduler": None, "sparse_tensor_module_names": set(), "skipped_steps": 0, "global_steps": number,
            "global_samples": 64 * number, "dp_world_size": RANKS, "mp_world_size": 1, "ds_version": "0.16.4"}
        torch.save(states, os.path.join(inner, "mp_rank_00_model_states.pt"))
        for rank, (shard, optimizer) in enumerate(zip(shards, optimizers)):
            padding = max(0, (rank + 1) * size - count)
            zero = {
                "loss_scaler": None, "dynamic_loss_scale": False, "overflow": False, "clip_grad": 0.0,
                "base_optimizer_state": optimizer.state_dict(), "single_partition_of_fp32_groups": [shard.detach()[:size - padding]],
                "zero_stage": 1, "group_paddings": [padding], "partition_count": [RANKS], "ds_version": "0.16.4",
                "param_slice_mappings": [addresses(rank)]}
            states = {"optimizer_state_dict": zero, "ds_config": {}, "ds_version": "0.16.4"}
            torch.save(states, os.path.join(inner, f"bf16_zero_pp_rank_{rank}_mp_rank_00_optim_states.pt"))
        with open(os.path.join(step_folder(folder, at), "latest"), "w") as file:
            file.write(name)


def write_megatron(folder):
    """megatron/training/checkpointing.py and Float16OptimizerWithFloat16Params.state_dict."""
    model = model_of().bfloat16()
    masters = [parameter.detach().float().clone() for parameter in model.parameters()]
    optimizer = torch.optim.AdamW(masters, lr=1e-3, weight_decay=0.01)
    for number in range(1, FIRST + 3):
        x = torch.randn(64, 128).bfloat16()
        model.zero_grad()
        (model(x) - x.roll(1, 1)).square().mean().backward()
        for master, parameter in zip(masters, model.parameters()):
            master.grad = parameter.grad.float()
        optimizer.step()
        with torch.no_grad():
            for master, parameter in zip(masters, model.parameters()):
                parameter.copy_(master)
        at = number - FIRST
        if at < 1:
            continue
        inner = os.path.join(step_folder(folder, at), f"iter_{number:07d}", "mp_rank_00")
        os.makedirs(inner)
        state = {
            "args": None, "checkpoint_version": 3.0, "iteration": number, "model": model.state_dict(),
            "optimizer": {"optimizer": optimizer.state_dict(), "fp32_from_fp16_params": [masters]},
            "opt_param_scheduler": {"max_lr": 1e-3, "num_steps": 64 * number}, "rng_state": [{"torch_rng_state": torch.get_rng_state()}]}
        torch.save(state, os.path.join(inner, "model_optim_rng.pt"))
        with open(os.path.join(step_folder(folder, at), "latest_checkpointed_iteration.txt"), "w") as file:
            file.write(str(number))


def write(folder, layout):
    globals()[f"write_{layout}"](folder)
    for at in (1, 2):
        reference(folder, at)


if __name__ == "__main__":
    if "deepspeed" in sys.argv:
        deepspeed_class()
    main(write, load)
