"""What the header of a file of weights says about its classifier: everything that tensors cannot tell."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from jaxpath.targets.preprocessing import as_facts, from_facts, positive
from jaxpath.types import InputError, Preprocessing, Target

KEY = "jaxpath.classifier"
"""Where the header of a file of weights keeps what it says."""

_NAME_ALONE = "jaxpath.target"
"""Where older versions kept the target's name, and nothing else."""


class WeightsHeader(NamedTuple):
    """What a ``.safetensors`` file that ``save_weights`` wrote says in its header.

    Attributes:
        target: Name of the target.
        num_classes: K; None in files of older versions, which kept the name alone.
        preprocessing: How pictures become inputs; None in such files.
        class_names: One name per class; empty if nobody named them.
        digest: Of the parameters, by :func:`~jaxpath.targets.digests.digest`; None in such files.
    """

    target: str
    num_classes: int | None = None
    preprocessing: Preprocessing | None = None
    class_names: tuple[str, ...] = ()
    digest: str | None = None


def header_text(target: Target, *, class_names: Sequence[str], digest: str) -> str:
    """What the header says, under :data:`KEY`; :func:`read_header` reads it.

    Raises:
        InputError: There are class names, and not one for each class.
    """
    if class_names and len(class_names) != target.num_classes:
        raise InputError(
            f"{len(class_names)} class names were given for the {target.num_classes} classes of "
            f"{target.name}; "
            "expected one for each, or none"
        )
    facts = {
        "target": target.name,
        "num_classes": target.num_classes,
        "preprocessing": as_facts(target.preprocessing),
        "class_names": [str(name) for name in class_names],
        "params": digest,
    }
    return json.dumps(facts)


def read_header(words: Mapping[str, str], where: str) -> WeightsHeader | None:
    """What the words of a header say; None if jaxpath did not write them.

    Raises:
        InputError: They are damaged.
    """
    if KEY not in words:
        return WeightsHeader(words[_NAME_ALONE]) if _NAME_ALONE in words else None
    where = f"the header of {where}"
    facts = parse_object(words[KEY], where)
    target = facts.get("target")
    if not isinstance(target, str):
        raise InputError(f"{where} holds the target {target!r}; expected its name: fetch the file again")
    names = facts.get("class_names", [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise InputError(f"{where} holds the class names {names!r}; expected a list of names")
    num_classes = positive(facts.get("num_classes"), "num_classes", where)
    if names and len(names) != num_classes:
        raise InputError(f"{where} holds {len(names)} class names for {num_classes} classes; fetch it again")
    return WeightsHeader(
        target,
        num_classes,
        from_facts(facts.get("preprocessing"), where),
        tuple(names),
        str(facts.get("params")),
    )


def parse_object(text: str, where: str) -> dict[str, Any]:
    """A JSON object.

    Raises:
        InputError: The text is something else.
    """
    try:
        facts = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where} is no readable JSON ({error}); fetch or write the file again") from error
    if not isinstance(facts, dict):
        raise InputError(f"{where} holds a {type(facts).__name__}; expected a JSON object with names")
    return facts
