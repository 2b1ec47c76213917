"""A Keras model with its optimizer as Keras saves it. Arguments: the ending of the file, .h5, .weights.h5 or .keras."""
import os
import keras, numpy as np
from interop_tensors import main, step_folder, write_reference
from keras_training import train


def tensors_of(model):
    return {variable.path: np.asarray(variable) for variable in model.variables + model.optimizer.variables}


def write(folder, ending):
    steps = train("Adam")
    for step in (1, 2):
        model = next(steps)
        path = os.path.join(step_folder(folder, step), f"model{ending}")
        model.save_weights(path) if ending == ".weights.h5" else model.save(path)
        write_reference(folder, step, tensors_of(model))


def load(folder, ending):
    path = os.path.join(folder, f"model{ending}")
    if ending != ".weights.h5":
        return tensors_of(keras.saving.load_model(path))
    model = next(train("Adam", warm=1))
    model.load_weights(path)
    return tensors_of(model)


main(write, load)
