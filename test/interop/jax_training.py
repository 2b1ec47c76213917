"""A small classifier that JAX and optax train; its state is a tree of arrays."""
import jax, jax.numpy as jnp, numpy as np, optax


def train(features=96, hidden=192, classes=32, warm=20):
    """Yields the state after `warm` steps of AdamW, and after each of those that follow."""
    random = np.random.default_rng(1)
    sizes = [features, hidden, hidden, classes]
    params = {
        f"Dense_{i}": {"kernel": jnp.asarray(random.normal(size=(n, m), scale=n**-0.5), "float32"), "bias": jnp.zeros(m)}
        for i, (n, m) in enumerate(zip(sizes, sizes[1:]))
    }
    optimizer = optax.adamw(1e-3, weight_decay=0.01)

    def loss(params, x, y):
        for i in range(len(sizes) - 1):
            x = x @ params[f"Dense_{i}"]["kernel"] + params[f"Dense_{i}"]["bias"]
            x = jax.nn.relu(x) if i < len(sizes) - 2 else x
        return optax.softmax_cross_entropy_with_integer_labels(x, y).mean()

    @jax.jit
    def step(params, opt_state, x, y):
        updates, opt_state = optimizer.update(jax.grad(loss)(params, x, y), opt_state, params)
        return optax.apply_updates(params, updates), opt_state

    opt_state = optimizer.init(params)
    count = 0
    while True:
        x = random.normal(size=(64, features)).astype("f4")
        params, opt_state = step(params, opt_state, x, np.abs(x[:, :classes]).argmax(1))
        count += 1
        if count >= warm:
            yield {"params": params, "opt_state": opt_state, "step": jnp.asarray(count)}


def flat(state):
    """The arrays by their paths: `opt_state/0/mu/Dense_0/kernel`."""
    leaves = jax.tree_util.tree_flatten_with_path(state)[0]
    return {jax.tree_util.keystr(path, simple=True, separator="/"): np.asarray(leaf) for path, leaf in leaves}
