"""Classifiers opened by their weights: which network, which state, which preprocessing, and who says so."""

from typing import Any, NamedTuple

from jaxpath import data, targets
from jaxpath.runs.own_targets import open_own_target, own_identity
from jaxpath.runs.run import say
from jaxpath.runs.weights_options import NO_CLASSIFIER, PreprocessingOptions, WeightsOptions
from jaxpath.targets import WeightsDescription, describe_preprocessing
from jaxpath.targets.preprocessing import as_facts
from jaxpath.types import InputError, Params, Preprocessing, Target

_SMALL = 64
"""Images of fewer pixels are taken at their own size."""


class Net(NamedTuple):
    """A classifier and its parameters.

    Attributes:
        target: The classifier.
        params: Its parameters.
        class_names: One name per class, by its weights; empty if they do not say it.
        origin: Who says which preprocessing it has; empty if no file was opened for it.
        identity: SHA-256 of its weights' file, or of the program and the parameters of one of the user's own;
            empty if it was not opened.
    """

    target: Target
    params: Params
    class_names: tuple[str, ...] = ()
    origin: str = ""
    identity: str = ""


def load_net(
    model: str | None,
    weights: str | None,
    *,
    options: WeightsOptions | None = None,
    like: data.Source | None = None,
    **shape: Any,
) -> Net:
    """A trained classifier by its weights, with the preprocessing that it was trained with.

    The preprocessing is that of the file's header, which jaxpath writes; else that of timm's ``config.json``
    beside the file or on the Hub, changed as ``options`` say; else the model's usual one, changed likewise,
    which is assumed. Model and preprocessing are printed, and who says so.

    Args:
        model: Name of the target; None takes the one that the weights tell.
        weights: Its weights: .safetensors, .pth, or hf://owner/name; None takes the parameters that
            ``options.target`` returns.
        options: Which state of the file is taken, and how pictures become inputs; or a classifier of the
            user's own.
        like: Images that it will see: small ones are taken at their own size where nothing else says it.
        **shape: Keywords of the target's maker, such as ``image_size``; None keeps what the weights tell, or
            else the maker's own.

    Raises:
        InputError: The model or the weights cannot be opened, or do not fit each other; or the options
            contradict what the file's header says, or what the user's own classifier is; or jaxpath wrote
            the file without an image size, and none is given.

    >>> from tempfile import TemporaryDirectory
    >>> import jax
    >>> target = targets.resnet8(image_size=8, channels=1, num_classes=2)
    >>> params = jax.tree.map(jax.numpy.ones_like, jax.eval_shape(target.init, jax.random.key(0)))
    >>> with TemporaryDirectory() as folder:
    ...     targets.save_weights(target, params, f"{folder}/net.safetensors", class_names=["cat", "dog"])
    ...     net = load_net(None, f"{folder}/net.safetensors")
    classifier: resnet8 with 2 classes
    preprocessing: size (bilinear) 8 x 8, mean 0.449, std 0.226; by the weights
    >>> net.target.preprocessing == target.preprocessing, net.class_names
    (True, ('cat', 'dog'))
    """
    options = options or WeightsOptions()
    if options.target is not None:
        return _load_own(options.target, weights, options, shape)
    if weights is None:
        raise InputError(NO_CLASSIFIER)
    released = targets.find_released(weights)
    if released is not None:
        say(f"weights: {weights} means {released.address}, by {released.origin}, {released.license}")
    target, described = _make_target(model, weights, options, like, shape)
    named = described.class_names or (data.known_names(released.classes) if released else ())
    names = named if len(named) == target.num_classes else ()
    origin = _origin(described, options.preprocessing, is_named=model is not None)
    params = targets.load_weights(target, weights, state=options.state)
    net = Net(target, params, names, origin, targets.weights_hash(weights))
    if released is not None:
        by = "as was published" if released.sha256 else "with which nothing published can be compared"
        say(f"weights: SHA-256 {net.identity}, {by}")
    _tell(net, described)
    return net


def make_target_like(
    model: str,
    weights: str,
    *,
    like: data.Source | None = None,
    num_classes: int,
    image_size: int | None = None,
) -> Target:
    """A target that is to be trained from ``weights``, with the preprocessing that these were trained with.

    Args:
        model: Name of the target.
        weights: As for :func:`load_net`; what they hold is looked at, and not loaded.
        like: Images that it will see.
        num_classes: Its own number of classes.
        image_size: Side of its square images; None keeps that of the weights, or its own.

    Raises:
        InputError: As :func:`load_net` does.
    """
    options, shape = WeightsOptions(), {"num_classes": num_classes, "image_size": image_size}
    target, described = _make_target(model, weights, options, like, shape)
    origin = _origin(described, options.preprocessing, is_named=True)
    say(f"preprocessing: {describe_preprocessing(target.preprocessing)}; {origin}")
    return target


def _make_target(
    model: str | None,
    weights: str,
    options: WeightsOptions,
    like: data.Source | None,
    shape: dict[str, Any],
) -> tuple[Target, WeightsDescription]:
    """The target of a file of weights, and what the file says."""
    described = targets.describe_weights(weights, state=options.state)
    name = model or described.name
    if name is None:
        raise InputError(
            f"the weights in {weights!r} do not tell their model; name it with --model: one of "
            f"{', '.join(targets.names())}; or give your own as --target package.module:function"
        )
    told: dict[str, Any] = {"num_classes": described.num_classes, "channels": described.channels}
    told |= {key: value for key, value in shape.items() if value is not None}
    asked = options.preprocessing.side(told.pop("image_size", None))
    told["image_size"] = _size(described, asked, weights, like)
    target = targets.make_target(name, **{key: value for key, value in told.items() if value is not None})
    preprocessing = _preprocessing(described, target, options.preprocessing, weights)
    return targets.with_preprocessing(target, preprocessing), described


def refuse_own_target(options: WeightsOptions, *, why: str) -> None:
    """Raises an :class:`InputError` if ``--target`` was given to a run about networks of the library."""
    if options.target is not None:
        raise InputError(f"--target {options.target} was given, but {why}; leave it out and give --model")


def _load_own(spec: str, weights: str | None, options: WeightsOptions, shape: dict[str, Any]) -> Net:
    target, params = open_own_target(spec, weights, state=options.state)
    sides = options.preprocessing.side(shape.get("image_size"))
    asked = {"--image-size or --crop": sides, "--num-classes": shape.get("num_classes")}
    own = target.preprocessing.crop, target.num_classes
    for (flag, value), known in zip(asked.items(), own, strict=True):
        if value not in (None, known):
            raise InputError(
                f"{flag} asks for {_pixels(value)}, and the classifier of {spec} has {_pixels(known)}; leave "
                "it out, or let the function make another one"
            )
    given = options.preprocessing.given()
    if given:
        target = targets.with_preprocessing(target, options.preprocessing.changed(target.preprocessing))
    origin = f"by {spec}{'; ' + ', '.join(given) + ' as given' if given else ''}"
    say(f"classifier: {target.name} with {target.num_classes} classes, of {spec}")
    say(f"preprocessing: {describe_preprocessing(target.preprocessing)}; {origin}")
    for failed in targets.check_quickly(target, params).failures():
        say(f"warning: {failed}")
    for note in target.notes:
        say(f"note: {note}")
    return Net(target, params, (), origin, own_identity(target, params))


def _pixels(value: Any) -> str:
    return f"{value[0]} x {value[1]} pixels" if isinstance(value, tuple) else f"{value} classes"


def small_size(source: data.Source) -> tuple[int, int] | None:
    """(H, W) of small images in memory, at which they are taken; None for others."""
    image = data.first_stored(source)
    return None if isinstance(image, bytes) or image.shape[0] >= _SMALL else image.shape[:2]


def preprocessing_facts(target: Target, origin: str) -> dict[str, Any]:
    """What a manifest and a run's configuration say about a classifier's preprocessing."""
    return {**as_facts(target.preprocessing), "origin": origin}


def _size(
    described: WeightsDescription,
    asked: tuple[int, int] | None,
    weights: str,
    like: data.Source | None,
) -> tuple[int, int] | None:
    """The input size; None leaves it to the target's maker."""
    trained = None if described.preprocessing is None else described.preprocessing.crop
    if described.is_ours and trained is None and asked is None:
        raise InputError(
            f"the weights in {weights!r} do not say for which image size they were trained, as a version of "
            "jaxpath wrote them that did not keep it; give --image-size (image_size= in Python)"
        )
    if described.is_ours and trained is not None and asked not in (None, trained):
        assert asked is not None
        raise InputError(
            f"the weights in {weights!r} were trained on images of {trained[0]} x {trained[1]} pixels, and "
            f"{asked[0]} x {asked[1]} were asked for; leave --image-size and --crop out"
        )
    if asked is None and trained is None and like is not None:
        return small_size(like)
    return asked or trained


def _preprocessing(
    described: WeightsDescription, target: Target, options: PreprocessingOptions, weights: str
) -> Preprocessing:
    told = described.preprocessing
    if described.config is not None:
        told = described.config.preprocessing(target.preprocessing.crop)
    result = options.changed(told or target.preprocessing)
    if described.is_ours and told not in (None, result):
        raise InputError(
            f"the weights in {weights!r} were trained on pictures with {describe_preprocessing(told)}, and "
            f"{', '.join(options.given())} ask for {describe_preprocessing(result)}; leave them out"
        )
    return result


def _origin(described: WeightsDescription, options: PreprocessingOptions, *, is_named: bool) -> str:
    given = options.given()
    also = f"; {', '.join(given)} as given" if given and not described.is_ours else ""
    if described.preprocessing is not None:
        return f"by {described.source}{also}"
    flags = "--mean, --std, --resize, --crop, --interpolation"
    if is_named or described.source or described.is_ours:
        return f"assumed, as the weights do not say it: {flags} change it{also}"
    both = "model and preprocessing are assumed, as the weights do not say them"
    return f"{both}: --model, {flags} change them{also}"


def _tell(net: Net, described: WeightsDescription) -> None:
    say(f"classifier: {net.target.name} with {net.target.num_classes} classes")
    say(f"preprocessing: {describe_preprocessing(net.target.preprocessing)}; {net.origin}")
    if described.other_states:
        say(
            f"weights: of the states in the file, {described.state} is taken; --state chooses among it and "
            f"{', '.join(described.other_states)}"
        )
