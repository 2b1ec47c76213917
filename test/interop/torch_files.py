"""Training checkpoints as torch.save writes them. Arguments: the optimizer's name in torch.optim."""
import os
import torch
from interop_tensors import flatten, main, step_folder, write_reference


class Block(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.up, self.down, self.norm = torch.nn.Linear(width, 4 * width), torch.nn.Linear(4 * width, width), torch.nn.LayerNorm(width)

    def forward(self, x):
        return x + self.down(torch.relu(self.up(self.norm(x))))


def model_of(width=128, blocks=2):
    torch.manual_seed(0)
    return torch.nn.Sequential(*(Block(width) for _ in range(blocks)))


def train(model, optimizer, steps, width=128):
    for _ in range(steps):
        optimizer.zero_grad()
        x = torch.randn(64, width)
        (model(x) - x.roll(1, 1)).square().mean().backward()
        optimizer.step()


def write(folder, name):
    model = model_of()
    options = {"momentum": 0.9} if name == "SGD" else {}
    optimizer = getattr(torch.optim, name)(model.parameters(), lr=1e-3, weight_decay=0.01, **options)
    train(model, optimizer, 50)
    for at in (1, 2):
        train(model, optimizer, 1)
        state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": 50 + at}
        torch.save(state, os.path.join(step_folder(folder, at), "checkpoint.pth"))
        write_reference(folder, at, flatten(state))


def load(folder, _):
    return flatten(torch.load(os.path.join(folder, "checkpoint.pth")))


if __name__ == "__main__":
    main(write, load)
