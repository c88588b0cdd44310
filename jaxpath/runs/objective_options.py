"""The generator's objective on a command line: flat options, of which those of one aim exclude the rest."""

import dataclasses
from typing import Any, Literal

from jaxpath.fills import Ablation
from jaxpath.gencnp import Aim, Budget, Faithfulness, FixedWeight, ObjectiveOptions
from jaxpath.types import InputError

_PRICED = {name: name for name in ("temperature", "decision_share", "random_density_share", "min_density")}
_OPTIONS: dict[type[Aim], dict[str, str]] = {
    Faithfulness: {"nats": "faithfulness", "initial_weight": "sparsity_weight", "dual_rate": "dual_rate"}
    | _PRICED,
    FixedWeight: {"weight": "sparsity_weight", "warmup_steps": "warmup_steps"} | _PRICED,
    Budget: {"share": "budget", "steps": "budget_steps"},
}
"""Aim -> its fields, and the options that set them."""

_ASKED_BY: dict[type[Aim], str] = {
    Faithfulness: "--faithfulness",
    FixedWeight: "--faithfulness None",
    Budget: "--budget",
}
"""Aim -> how a command line asks for it."""


@dataclasses.dataclass(frozen=True)
class ObjectiveFlags:
    """What a generator is trained for: a faithfulness, a fixed price of openness, or a budget.

    Options of the other two are refused. What is not given is the default of the library's own options.

    Attributes:
        faithfulness: Nats of KL(clean || masked) that the pathway may cost on average, by default 0.03. The
            sparsity weight is then the dual variable of that constraint. None: the weight is fixed.
        sparsity_weight: Price of a fully open network, in nats, by default 1: the dual variable's starting
            point, or the fixed weight.
        warmup_steps: Steps over which a fixed weight rises from 0, by default 200.
        dual_rate: Largest relative change of the dual variable in one step, by default 0.05.
        budget: Share of the neurons that a pathway may keep: every mask is cut at a density a little below
            it, and must keep the predicted class.
        budget_steps: Steps over which the budget falls from 1, by default 600.
        temperature: T of the distillation, by default 1; not with a budget.
        decision_share: Weight of -log p(x; m) of the predicted class beside the distillation, which keeps the
            rest, by default 0; not with a budget.
        random_density_share: Share of the images whose mask is cut at a random density instead of at score
            0.5, by default 0.5; not with a budget.
        min_density: Smallest random density, by default 0.02; not with a budget.
        class_weight: Weight of the class head's distillation.
        leakage_weight: Weight of the evidence that a pathway creates for its class in an image of another
            class. Above 0, images 2i and 2i + 1 of a batch are each other's other image.
        blank_weight: Weight of -log(1 - p) of the class for a blank picture under the pathway: noise, grey,
            black, or the image's own pixels shuffled.
        kin_weight: Weight of -log p of the class for another image of it under the pathway.
        ablations: What closed neurons hold in training: 0 (zero), their mean over the batch (mean), or a
            value between the mean and what an image of another class has there (interchange); of several,
            each image draws one in every step.
        rematerialize: Keep the activations of every third site of a masked forward pass for its gradient, and
            compute the others once more: less memory, more time, the same values.
        quantizer: "daq", or "straight_through" (the ablation).
    """

    faithfulness: float | Literal["default"] | None = "default"
    sparsity_weight: float | None = None
    warmup_steps: int | None = None
    dual_rate: float | None = None
    budget: float | None = None
    budget_steps: int | None = None
    temperature: float | None = None
    decision_share: float | None = None
    random_density_share: float | None = None
    min_density: float | None = None
    class_weight: float = 1.0
    leakage_weight: float = 0.0
    blank_weight: float = 0.0
    kin_weight: float = 0.0
    ablations: tuple[Ablation, ...] = ("zero",)
    rematerialize: bool = False
    quantizer: Literal["daq", "straight_through"] = "daq"

    def build(self) -> ObjectiveOptions:
        """The options of the library.

        Raises:
            InputError: Options contradict each other, or a value is out of its range.
        """
        names = {field.name for field in dataclasses.fields(ObjectiveOptions)} - {"aim"}
        return ObjectiveOptions(self._aim(), **{name: getattr(self, name) for name in names})

    def check(self) -> None:
        """Raises an :class:`~jaxpath.types.InputError` as :meth:`build` does."""
        self.build()

    def recorded(self) -> dict[str, Any]:
        """All options by name, with the aim's defaults filled in; None where one belongs to another aim."""
        aim = self._aim()
        values = dataclasses.asdict(self) | {"faithfulness": None}
        return values | {option: getattr(aim, field) for field, option in _OPTIONS[type(aim)].items()}

    def _aim(self) -> Aim:
        aim: type[Aim] = Faithfulness
        if self.budget is not None:
            aim = Budget
        elif self.faithfulness is None:
            aim = FixedWeight
        options = _OPTIONS[aim]
        for option in self._given():
            if option not in options.values() and (aim, option) != (FixedWeight, "faithfulness"):
                raise _contradiction(option, aim)
        values = {field: getattr(self, option) for field, option in options.items()}
        # The library's own default stands where neither the command nor the run has one.
        return aim(**{field: value for field, value in values.items() if value not in (None, "default")})

    def _given(self) -> list[str]:
        """Options of single aims that differ from this class's defaults: those of a run exclude nothing."""
        exclusive = {option for options in _OPTIONS.values() for option in options.values()}
        fields = (field for field in dataclasses.fields(self) if field.name in exclusive)
        return [field.name for field in fields if getattr(self, field.name) != field.default]


@dataclasses.dataclass(frozen=True)
class PhotographObjective(ObjectiveFlags):
    """The defaults for photographs of many classes: a fixed price of openness, half the loss for the class.

    No sparse pathway keeps how a thousand classes are ordered, so a faithfulness in nats is a bound that is
    out of reach, and the price that waits for it stays at its least.
    """

    faithfulness: float | Literal["default"] | None = None
    decision_share: float | None = 0.5


def _contradiction(option: str, aim: type[Aim]) -> InputError:
    """``option`` was set, and belongs to another aim."""
    name = f"--{option.replace('_', '-')}"
    owner = next(_ASKED_BY[other] for other, options in _OPTIONS.items() if option in options.values())
    remedy = "leave out one of them" if name == owner else f"leave it out, or ask for {owner}"
    return InputError(f"{name} has no effect with {_ASKED_BY[aim]}; {remedy}")
