"""Checkpoints that Orbax writes: ocdbt (its default), manager (the default in a CheckpointManager) or raw (a file for each array)."""
import os
import jax, orbax.checkpoint as ocp
from interop_tensors import main, step_folder, write_reference
from jax_training import flat, train


def raw_checkpointer():
    return ocp.Checkpointer(ocp.PyTreeCheckpointHandler(use_ocdbt=False, use_zarr3=False, use_compression=False))


def write(folder, layout):
    states = train()
    for step in (1, 2):
        state = next(states)
        place = os.path.abspath(step_folder(folder, step))
        if layout == "manager":
            with ocp.CheckpointManager(place) as manager:
                manager.save(19 + step, args=ocp.args.StandardSave(state))
        elif layout == "raw":
            raw_checkpointer().save(os.path.join(place, "state"), args=ocp.args.PyTreeSave(state))
        else:
            with ocp.StandardCheckpointer() as checkpointer:
                checkpointer.save(os.path.join(place, "state"), state)
        # What a program leaves beside its checkpoint: nothing in it may be lost.
        os.makedirs(os.path.join(place, "logs", "empty"))
        open(os.path.join(place, "orbax.checkpoint"), "w").close()
        write_reference(folder, step, flat(state))


def load(folder, layout):
    state = next(train(warm=1))
    target = jax.tree_util.tree_map(ocp.utils.to_shape_dtype_struct, state)
    place = os.path.join(os.path.abspath(folder), "state")
    if layout == "manager":
        with ocp.CheckpointManager(os.path.abspath(folder)) as manager:
            return flat(manager.restore(manager.latest_step(), args=ocp.args.StandardRestore(target)))
    if layout == "raw":
        args = ocp.args.PyTreeRestore(item=state, restore_args=ocp.checkpoint_utils.construct_restore_args(state))
        return flat(raw_checkpointer().restore(place, args=args))
    with ocp.StandardCheckpointer() as checkpointer:
        return flat(checkpointer.restore(place, target))


main(write, load)
