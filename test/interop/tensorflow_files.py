"""Checkpoints of a Keras model as TensorFlow writes them: tf.train.Checkpoint. Arguments: Adam or SGD."""
import os
import keras, numpy as np, tensorflow as tf
from interop_tensors import main, step_folder, write_reference
from keras_training import train


def checkpoint_of(model):
    return tf.train.Checkpoint(model=model, optimizer=model.optimizer)


def write(folder, optimizer):
    steps = train(optimizer)
    for step in (1, 2):
        model = next(steps)
        checkpoint_of(model).save(os.path.join(step_folder(folder, step), "ckpt"))
        write_reference(folder, step, load(os.path.join(folder, f"step-{step}")))


def load(folder, *_):
    path = tf.train.latest_checkpoint(folder)
    reader = tf.train.load_checkpoint(path)
    shapes = reader.get_variable_to_shape_map()
    return {name: np.asarray(reader.get_tensor(name)) for name in shapes if not name.startswith("_")}


main(write, load)
