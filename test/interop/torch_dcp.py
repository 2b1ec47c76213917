"""Checkpoints of torch.distributed.checkpoint. Arguments: how many processes train, each with its shard of every
parameter, and the width and number of the model's blocks."""
import os
import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
import torch.multiprocessing as processes
from torch.distributed.checkpoint.state_dict import get_state_dict
from torch.distributed.checkpoint.state_dict_loader import _load_state_dict_from_keys
from interop_tensors import flatten, main, step_folder, write_reference
from torch_files import model_of, train


def start(rank, count, port):
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    torch.set_num_threads(1)
    dist.init_process_group("gloo", rank=rank, world_size=count)


def whole(value):
    """The same state with every sharded tensor gathered."""
    if isinstance(value, dict):
        return {key: whole(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [whole(item) for item in value]
    return value.full_tensor() if hasattr(value, "full_tensor") else value


def work(rank, folder, count, port, width, blocks):
    start(rank, count, port)
    model = model_of(width, blocks)
    if count > 1:
        from torch.distributed.device_mesh import init_device_mesh
        from torch.distributed.fsdp import fully_shard
        mesh = init_device_mesh("cpu", (count,))
        for block in model:
            fully_shard(block, mesh=mesh)
        fully_shard(model, mesh=mesh)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.01)
    torch.manual_seed(1)
    train(model, optimizer, 50, width)
    for at in (1, 2):
        train(model, optimizer, 1, width)
        weights, moments = get_state_dict(model, optimizer)
        state = {"model": weights, "optimizer": moments, "step": 50 + at}
        dcp.save(state, checkpoint_id=os.path.join(step_folder(folder, at), "checkpoint"))
        everything = whole(state)
        if rank == 0:
            write_reference(folder, at, flatten(everything))
    dist.destroy_process_group()


def write(folder, count, width=128, blocks=2):
    count = int(count)
    port = 29500 + os.getpid() % 10000
    options = (folder, count, port, int(width), int(blocks))
    if count == 1:
        work(0, *options)
    else:
        processes.spawn(work, args=options, nprocs=count)


def load(folder, *_):
    state = _load_state_dict_from_keys(checkpoint_id=os.path.join(folder, "checkpoint"))
    return flatten(state)


if __name__ == "__main__":
    main(write, load)
