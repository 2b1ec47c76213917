"""Trains a small network with AdamW and saves it every second, as scripts do: a file for each step, and last.pth in place.

python watch_writer.py FOLDER STEPS SECONDS prints the SHA-256 of each file that it has written, with its name.
"""
import hashlib
import os
import sys
import time

import torch

folder, steps, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
torch.manual_seed(7)
model = torch.nn.Sequential(torch.nn.Linear(256, 512), torch.nn.GELU(), torch.nn.Linear(512, 256))
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)


def save(name, step, loss):
    path = os.path.join(folder, name)
    state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step, "loss": loss}
    torch.save(state, path)
    with open(path, "rb") as file:
        print(hashlib.sha256(file.read()).hexdigest(), name, flush=True)


for step in range(1, steps + 1):
    inputs = torch.randn(32, 256)
    loss = (model(inputs) - inputs).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    save(f"step-{step}.pth", step, loss.item())
    save("last.pth", step, loss.item())
    time.sleep(seconds)
