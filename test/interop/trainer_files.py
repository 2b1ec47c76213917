"""Checkpoints of transformers.Trainer, which goes on from them: Llama with a few layers on random tokens, saved after every step."""
import os, shutil
os.environ.update(HF_HUB_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1", CUDA_VISIBLE_DEVICES="")
import torch
from transformers import LlamaConfig, LlamaForCausalLM, Trainer, TrainingArguments
from interop_tensors import flatten, main, step_folder
from torch_layouts import reference

FIRST = 10


class Tokens(torch.utils.data.Dataset):
    def __len__(self):
        return 8 * (FIRST + 3)

    def __getitem__(self, at):
        tokens = torch.randint(0, 512, (32,), generator=torch.Generator().manual_seed(at))
        return {"input_ids": tokens, "labels": tokens}


def trainer_until(folder, steps, save):
    torch.set_num_threads(1)
    torch.manual_seed(0)
    # Dropout draws random numbers: without its generator's state the next step would be another.
    config = LlamaConfig(
        vocab_size=512, hidden_size=128, intermediate_size=256, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
        max_position_embeddings=64, attention_dropout=0.1)
    options = TrainingArguments(
        output_dir=folder, max_steps=steps, per_device_train_batch_size=8, learning_rate=1e-3, weight_decay=0.01, warmup_steps=4,
        save_strategy="steps" if save else "no", save_steps=1, save_total_limit=2, logging_steps=1, report_to="none",
        disable_tqdm=True, use_cpu=True, dataloader_num_workers=0, dataloader_pin_memory=False, seed=0)
    return Trainer(model=LlamaForCausalLM(config), args=options, train_dataset=Tokens())


def write(folder):
    out = os.path.join(folder, "out")
    trainer_until(out, FIRST + 2, True).train()
    for at in (1, 2):
        name = f"checkpoint-{FIRST + at}"
        shutil.move(os.path.join(out, name), os.path.join(step_folder(folder, at), name))
        reference(folder, at)


def load(folder):
    """The weights and moments after one more step from the checkpoint."""
    [name] = os.listdir(folder)
    trainer = trainer_until(os.path.join(folder, "..", "resumed"), int(name.split("-")[1]) + 1, False)
    trainer.train(resume_from_checkpoint=os.path.join(folder, name))
    return flatten({"model": trainer.model.state_dict(), "optimizer": trainer.optimizer.state_dict()})


if __name__ == "__main__":
    main(write, load)
