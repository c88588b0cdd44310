"""The Python that does what a reader did on the page."""

import dataclasses
from pathlib import Path
from typing import Any

from jaxpath.app.state import State, encode_mask
from jaxpath.cli.commands import App

_LEFT_OUT = ("port", "open", "out")


def python_lines(options: App, state: State) -> str:
    """Lines of Python that open the same studio and measure the same pathway.

    Args:
        options: Those that the page was started with.
        state: What is shown.
    """
    look = state.look
    name = look.pictures.names[0]
    picture = f"studio.read({name!r})" if state.place is None else f"studio.from_reference({state.place})"
    asked = [f"explainer={state.explainer!r}"]
    if state.held or look.label != int(look.survey.records.predicted[0]):
        asked.append(f"label={look.label}")
    if look.against is not None:
        asked.append(f"against={look.against}")
    if state.is_cut:
        mask, imports = f"studio.cut(look, {state.shown.density!r})", ""
    else:
        mask = f"decode_mask({encode_mask(state.mask)!r}, {len(state.mask)})"
        imports = "from jaxpath.app.state import decode_mask\n"
    return (
        "from pathlib import Path\n"
        "from jaxpath.app.command import open_studio\n"
        f"{imports}"
        "from jaxpath.cli.commands import App\n"
        "from jaxpath.cli.options import MethodOptions, TargetOptions\n\n"
        f"studio = open_studio({_call(options)})\n"
        f"look = studio.look({picture}, {', '.join(asked)})\n"
        f"mask = {mask}\n"
        "assessment = studio.assess(look, mask)\n"
        "print(assessment.judgement.verdict, assessment.measured.controls)\n"
    )


def _call(options: Any) -> str:
    """A dataclass as the call that makes it, without what is as by default.

    >>> _call(App(classifier=_target("w.safetensors"), reference="digits"))
    "App(reference='digits', classifier=TargetOptions(weights='w.safetensors'))"
    """
    given = []
    for field in dataclasses.fields(options):
        value = getattr(options, field.name)
        if field.name in _LEFT_OUT or value == _default(field):
            continue
        if isinstance(value, Path):
            text = f"Path({str(value)!r})"
        else:
            text = _call(value) if dataclasses.is_dataclass(value) else repr(value)
        given.append(f"{field.name}={text}")
    return f"{type(options).__name__}({', '.join(given)})"


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        try:
            return field.default_factory()
        except ValueError:
            return None
    return field.default


def _target(weights: str) -> Any:
    from jaxpath.cli.options import TargetOptions

    return TargetOptions(weights=weights)
