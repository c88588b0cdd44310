"""Which classifier a file belongs to: what it says about it, and the check when it is read."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jaxpath.targets.digests import digest
from jaxpath.targets.preprocessing import as_facts, describe_preprocessing, from_facts
from jaxpath.types import InputError, Params, Target


def classifier_facts(target: Target, params: Params) -> dict[str, Any]:
    """What a file says about the classifier that it was made for, of JSON's types.

    Its name and number of classes, its image size and preprocessing, and a digest of its parameters.
    """
    return {
        "target": target.name,
        "num_classes": target.num_classes,
        "preprocessing": as_facts(target.preprocessing),
        "target_params": digest(params),
    }


def check_classifier(
    facts: Mapping[str, Any], target: Target, params: Params | None, path: str | Path, kind: str
) -> None:
    """Raises an error unless a file belongs to this classifier.

    Args:
        facts: What the file says about its classifier; of ``preprocessing`` and ``target_params``, which
            older versions of jaxpath did not write, those that are missing are not checked.
        target: The classifier.
        params: Its parameters; None leaves them unchecked.
        path: The file.
        kind: What it is, such as ``"generator"``.

    Raises:
        InputError: It was made for a target of another name or number of classes, for pictures of another
            size or preprocessing, or for other parameters.
    """
    if facts.get("target") != target.name or facts.get("num_classes") != target.num_classes:
        raise wrong_target(facts, target, path, kind)
    if "preprocessing" in facts:
        then = from_facts(facts["preprocessing"], f"the header of {path}")
        if then != target.preprocessing:
            raise InputError(
                f"{path} was made for pictures with {describe_preprocessing(then)}, and {target.name} takes "
                f"them with {describe_preprocessing(target.preprocessing)}; open the classifier as it was "
                f"then, or make another {kind}"
            )
    if params is not None and facts.get("target_params") not in (None, now := digest(params)):
        raise InputError(
            f"{path} was made for other weights of {target.name} (digest "
            f"{str(facts['target_params'])[:12]}) than those that were given ({now[:12]}); give the weights "
            f"that it was made for, or make another {kind} for these"
        )


def wrong_target(facts: Mapping[str, Any], target: Target, path: str | Path, kind: str) -> InputError:
    """The error that says which classifier a file was made for."""
    return InputError(
        f"{path} was made for {facts.get('target')} with {facts.get('num_classes')} classes; expected a file "
        f"for {target.name} with {target.num_classes}: open that classifier, or make another {kind}"
    )
