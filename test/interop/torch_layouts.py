"""Training directories around torch.save. Arguments: which one.

accelerate  Accelerator.save_state      lightning  pytorch_lightning.Trainer
deepspeed   ZeRO: fp32 weights and moments of a parameter group in one flat partition; the files as DeepSpeed names them
megatron    mixed precision with fp32 weights in lists beside the optimizer; the files as Megatron-LM names them
"""
import glob, os
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


def write_deepspeed(folder):
    """stage_1_and_2.py and engine.py: `_save_zero_checkpoint`, `_save_checkpoint`, on one rank."""
    model = model_of()
    shapes = {name: parameter.shape for name, parameter in model.named_parameters()}
    flat = torch.nn.Parameter(torch.cat([parameter.detach().reshape(-1) for parameter in model.parameters()]))
    optimizer = torch.optim.AdamW([flat], lr=1e-3, weight_decay=0.01)

    def step():
        with torch.no_grad():
            start = 0
            for parameter in model.parameters():
                parameter.copy_(flat[start:start + parameter.numel()].bfloat16().view_as(parameter))
                start += parameter.numel()
        model.zero_grad()
        x = torch.randn(64, 128)
        (model(x) - x.roll(1, 1)).square().mean().backward()
        flat.grad = torch.cat([parameter.grad.reshape(-1) for parameter in model.parameters()])
        optimizer.step()

    for number in range(1, FIRST + 3):
        step()
        at = number - FIRST
        if at < 1:
            continue
        name = f"global_step{number}"
        inner = os.path.join(step_folder(folder, at), name)
        os.makedirs(inner)
        start, module = 0, {}
        for key, shape in shapes.items():
            module[key] = flat.detach()[start:start + shape.numel()].view(shape).bfloat16()
            start += shape.numel()
        states = {
            "module": module, "buffer_names": [], "optimizer": None, "param_shapes": [shapes], "frozen_param_shapes": None,
            "lr_scheduler": None, "sparse_tensor_module_names": set(), "skipped_steps": 0, "global_steps": number,
            "global_samples": 64 * number, "dp_world_size": 1, "mp_world_size": 1, "ds_version": "0.16.4"}
        torch.save(states, os.path.join(inner, "mp_rank_00_model_states.pt"))
        state = optimizer.state_dict()
        zero = {
            "loss_scaler": None, "dynamic_loss_scale": False, "overflow": False, "clip_grad": 0.0,
            "base_optimizer_state": state, "single_partition_of_fp32_groups": [flat.detach()], "zero_stage": 1,
            "group_paddings": [0], "partition_count": [1], "ds_version": "0.16.4", "param_slice_mappings": []}
        torch.save({"optimizer_state_dict": zero, "ds_version": "0.16.4"}, os.path.join(inner, "bf16_zero_pp_rank_0_mp_rank_00_optim_states.pt"))
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
    main(write, load)
