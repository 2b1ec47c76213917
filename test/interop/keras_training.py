"""A small classifier that Keras trains."""
import keras, numpy as np


def train(name, features=96, hidden=192, classes=32, warm=20):
    """Yields the model after `warm` steps, and after each of those that follow."""
    keras.utils.set_random_seed(1)
    random = np.random.default_rng(1)
    model = keras.Sequential([
        keras.layers.Input((features,)),
        keras.layers.Dense(hidden, activation="relu", name="up"),
        keras.layers.LayerNormalization(name="norm"),
        keras.layers.Dense(hidden, activation="relu", name="mid"),
        keras.layers.Dense(classes, name="out"),
    ], name="classifier")
    optimizer = keras.optimizers.SGD(1e-2, momentum=0.9) if name == "SGD" else keras.optimizers.Adam(1e-3)
    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    step = 0
    while True:
        x = random.normal(size=(64, features)).astype("f4")
        model.train_on_batch(x, (np.abs(x[:, :classes]).argmax(1)))
        step += 1
        if step >= warm:
            yield model
