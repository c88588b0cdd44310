"""Classifiers of Keras, Equinox and Haiku as targets. None of the three is needed by anything else."""

import importlib
from collections.abc import Collection
from typing import Any

import jax
from jax import Array

from jaxpath.errors import InputError, not_installed
from jaxpath.targets.activation_detection import ACTIVATIONS
from jaxpath.targets.adapters import adapt_function
from jaxpath.targets.site_layout import Layout
from jaxpath.types import Params, Preprocessing, Target


def adapt_keras(
    model: Any,
    *,
    name: str,
    preprocessing: Preprocessing,
    activations: Collection[str] = ACTIVATIONS,
    layout: Layout | None = None,
    **options: Any,
) -> Target:
    """Makes a target of a Keras 3 model that runs on JAX.

    The parameters are ``{"trainable": [...], "non_trainable": [...]}``, and ``init`` returns the model's own.
    Give ``classifier_activation=None`` to the models of ``keras.applications``: they end in a softmax.

    Args:
        model: A built model, whose images are [B, H, W, C].
        name: Name of the target.
        preprocessing: How pictures become inputs; layers of the model that rescale pixels count as layers.
        activations: See :func:`~jaxpath.targets.adapt_function`.
        layout: See :func:`~jaxpath.targets.adapt_function`.
        **options: Passed on at every call, after ``training=False``.

    Raises:
        InputError: See :func:`~jaxpath.targets.adapt_function`; or Keras is not installed, or runs on another
            backend, or the model is none of its or has not been built.
    """
    keras = _load("keras", "keras")
    if keras.backend.backend() != "jax":
        raise InputError(
            f"Keras runs on {keras.backend.backend()}; expected JAX: set KERAS_BACKEND=jax before its import"
        )
    if not isinstance(model, keras.Model) or not model.built:
        raise InputError(f"{name} was made of a {type(model).__name__}; expected a Keras model that is built")
    parts = {"trainable": model.trainable_variables, "non_trainable": model.non_trainable_variables}
    params = {part: [variable.value for variable in variables] for part, variables in parts.items()}

    def forward(params: Params, images: Array) -> Array:
        logits, _ = model.stateless_call(
            params["trainable"], params["non_trainable"], images, **{"training": False, **options}
        )
        return logits

    return adapt_function(
        forward,
        init=lambda key: params,
        name=name,
        preprocessing=preprocessing,
        activations=activations,
        layout=layout,
    )


def adapt_equinox(
    model: Any,
    *,
    name: str,
    preprocessing: Preprocessing,
    state: Any = None,
    activations: Collection[str] = ACTIVATIONS,
    layout: Layout | None = None,
    **options: Any,
) -> Target:
    """Makes a target of an Equinox module that is called with one image [C, H, W].

    The parameters are the module's floating-point arrays, ``{"model": ..., "state": ...}``, and ``init``
    returns the module's own. It is switched to inference.

    Args:
        model: Called as ``model(image, **options)``, or as ``model(image, state, **options)`` if there is a
            state, and returns logits [K].
        name: Name of the target.
        preprocessing: How pictures become inputs.
        state: Of the running statistics, from ``eqx.nn.make_with_state``.
        activations: See :func:`~jaxpath.targets.adapt_function`.
        layout: See :func:`~jaxpath.targets.adapt_function`.
        **options: Passed on at every call, such as ``key=None``.

    Raises:
        InputError: See :func:`~jaxpath.targets.adapt_function`; or Equinox is not installed, or the model is
            no module.
    """
    eqx = _load("equinox", "equinox")
    if not isinstance(model, eqx.Module):
        raise InputError(f"{name} was made of a {type(model).__name__}; expected an Equinox module")
    arrays, static = eqx.partition(eqx.nn.inference_mode(model), eqx.is_inexact_array)
    params = {"model": arrays, "state": state}

    def forward(params: Params, images: Array) -> Array:
        module = eqx.combine(params["model"], static)

        def of_one(image: Array) -> Array:
            if state is None:
                return module(image, **options)
            logits, _ = module(image, params["state"], **options)
            return logits

        # Batch norms ask for the axis, and use it in training only.
        return jax.vmap(of_one, axis_name="batch")(images.transpose(0, 3, 1, 2))

    return adapt_function(
        forward,
        init=lambda key: params,
        name=name,
        preprocessing=preprocessing,
        activations=activations,
        layout=layout,
    )


def adapt_haiku(
    transformed: Any,
    *,
    name: str,
    preprocessing: Preprocessing,
    activations: Collection[str] = ACTIVATIONS,
    layout: Layout | None = None,
    **options: Any,
) -> Target:
    """Makes a target of a Haiku function.

    The parameters are ``{"params": ..., "state": ...}``, without the state for ``hk.transform``.

    Args:
        transformed: From ``hk.transform`` or ``hk.transform_with_state``, of a function of images
            [B, H, W, C] that returns logits [B, K].
        name: Name of the target.
        preprocessing: How pictures become inputs.
        activations: See :func:`~jaxpath.targets.adapt_function`.
        layout: See :func:`~jaxpath.targets.adapt_function`.
        **options: Passed on at every call, such as ``is_training=False``; ``init`` is called with
            ``is_training=True``, as batch norms of Haiku need it.

    Raises:
        InputError: See :func:`~jaxpath.targets.adapt_function`; or Haiku is not installed, or the function is
            not transformed.
    """
    hk = _load("haiku", "dm-haiku")
    has_state = isinstance(transformed, hk.TransformedWithState)
    if not has_state and not isinstance(transformed, hk.Transformed):
        raise InputError(
            f"{name} was made of a {type(transformed).__name__}; expected what hk.transform or "
            "hk.transform_with_state returns"
        )
    example = jax.numpy.zeros((1, *preprocessing.shape))
    at_first = {**options, **({"is_training": True} if "is_training" in options else {})}

    def init(key: Array) -> Params:
        made = jax.jit(lambda key: transformed.init(key, example, **at_first))(key)
        return {"params": made[0], "state": made[1]} if has_state else {"params": made}

    def forward(params: Params, images: Array) -> Array:
        if has_state:
            logits, _ = transformed.apply(params["params"], params["state"], None, images, **options)
            return logits
        return transformed.apply(params["params"], None, images, **options)

    return adapt_function(
        forward, init=init, name=name, preprocessing=preprocessing, activations=activations, layout=layout
    )


def _load(module: str, package: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise not_installed("this adapter", module, package) from error
