"""The description of a cell model: what is fixed, what is free, and how it is spread over the dendrites."""

from __future__ import annotations

import ast
import string
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rheobase.features.errors import ModelError
from rheobase.fitting.search.space import Dimension

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rheobase.fitting.cells.mechanisms import Mechanism
    from rheobase.fitting.cells.morphology import Morphology

# NEURON assigns in this order (BluePyOpt's), so a value for one list overrides the value for all.
SECTION_LISTS = ("all", "apical", "axonal", "basal", "somatic", "myelinated")

UNIFORM = "uniform"

_FUNCTIONS = {
    name: getattr(np, name) for name in ("exp", "log", "log10", "sqrt", "sin", "cos", "tanh", "abs", "floor", "ceil")
}
_ALLOWED_NODES = (
    ast.Expression, ast.BinOp, ast.UnaryOp, ast.Compare, ast.Call, ast.Name, ast.Constant, ast.Attribute, ast.Load,
    ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Pow, ast.USub, ast.UAdd, ast.Gt, ast.GtE, ast.Lt, ast.LtE, ast.BitAnd,
)  # fmt: skip


class DistributionError(ModelError):
    """A distribution that has no finite value for these parameters; others may have one."""


@dataclass(frozen=True)
class Distribution:
    """How a parameter varies with the distance to the soma.

    Attributes:
        name: Name that parameters refer to.
        expression: Formula in {value} and {distance} (um from the middle of the soma), in Python's notation with
            math.exp and the like, for example "{value} * math.exp(-{distance} / 100)"; further names in braces are
            parameters of the distribution itself.
    """

    name: str
    expression: str

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names in braces other than value and distance."""
        try:
            names = {name for _, name, _, _ in string.Formatter().parse(self.expression) if name}
        except ValueError as error:  # a brace without its other half
            raise ModelError(
                f"distribution '{self.name}': expression '{self.expression}' is not a formula: {error}"
            ) from error
        return tuple(sorted(names - {"value", "distance"}))

    def evaluate(self, value: float, distance_um: NDArray[np.float64], **parameters: float) -> NDArray[np.float64]:
        """Values at the distances, shape (segments,).

        Raises:
            ModelError: the expression is not arithmetic.
        """
        return _evaluate(self, {"value": value, "distance": distance_um, **parameters})

    def check(self) -> None:
        """Raise ModelError when the expression cannot be used."""
        self.evaluate(1.0, np.array([0.0, 100.0]), **dict.fromkeys(self.parameters, 1.0))


def _evaluate(distribution: Distribution, names: dict[str, Any]) -> NDArray[np.float64]:
    where = f"distribution '{distribution.name}': expression '{distribution.expression}'"
    try:
        plain = distribution.expression.format(**{name: name for name in names})
        tree = ast.parse(plain.strip(), mode="eval")
    except (SyntaxError, KeyError, IndexError, ValueError) as error:
        raise ModelError(f"{where} is not a formula: {error}") from error
    for node in ast.walk(tree):
        if not isinstance(node, _ALLOWED_NODES) or (isinstance(node, ast.Constant) and type(node.value) is str):
            raise ModelError(f"{where} may hold arithmetic and functions of math only, not {type(node).__name__}")
        if isinstance(node, ast.Name) and node.id not in names and node.id not in _FUNCTIONS and node.id != "math":
            raise ModelError(f"{where} names '{node.id}', which is neither {{value}}, {{distance}} nor a function")
        if isinstance(node, ast.Attribute) and (node.attr not in _FUNCTIONS or ast.unparse(node.value) != "math"):
            raise ModelError(f"{where} uses '{ast.unparse(node)}'; known functions: {', '.join(sorted(_FUNCTIONS))}")
    scope = {"__builtins__": {}, **_FUNCTIONS, "math": _MathNames, **names}
    try:
        with np.errstate(all="ignore"):
            values = eval(compile(tree, distribution.name, "eval"), scope)
        spread = np.broadcast_to(np.asarray(values, dtype=float), np.shape(names["distance"])).copy()
    except (ArithmeticError, TypeError, ValueError) as error:
        raise ModelError(f"{where} has no value: {error}") from error
    if not np.isfinite(spread).all():
        raise DistributionError(f"{where} is not finite at some distance from the soma")
    return spread


_MathNames = type("math", (), {name: staticmethod(function) for name, function in _FUNCTIONS.items()})


@dataclass(frozen=True)
class CellParameter:
    """A parameter of a cell model: frozen to a value, or free between bounds.

    Attributes:
        variable: As NEURON spells it ("gNaTgbar_NaTg", "cm"), or the name of a distribution's parameter.
        section_list: all, somatic, basal, apical, axonal or myelinated; for a distribution's parameter its
            distribution, spelt "distribution_NAME".
        unit: Unit of value and bounds ("" where it has none).
        value: Value of a frozen parameter.
        bounds: Lower and upper bound of a free one.
        logarithmic: Whether a search moves it on a logarithmic scale.
        distribution: Name of the distribution over the section list.
        mechanism: Mechanism that owns the variable, None for properties of the section itself.
    """

    variable: str
    section_list: str
    unit: str
    value: float | None = None
    bounds: tuple[float, float] | None = None
    logarithmic: bool = False
    distribution: str = UNIFORM
    mechanism: str | None = None

    @property
    def name(self) -> str:
        """Name that users know: variable.section_list."""
        return f"{self.variable}.{self.section_list}"

    @property
    def is_free(self) -> bool:
        """Whether a search may move it."""
        return self.bounds is not None

    @property
    def dimension(self) -> Dimension:
        """The free parameter as a search sees it.

        Raises:
            ModelError: the parameter is frozen.
        """
        if self.bounds is None:
            raise ModelError(f"the parameter {self.name} is frozen; it has no bounds")
        return Dimension(self.name, *self.bounds, self.logarithmic)


@dataclass(frozen=True)
class CellModel:
    """Everything that a worker needs to build the cell, self-contained: no paths.

    Attributes:
        name: Name of the model; letters, digits and underscores.
        morphology: The neuron's shape.
        mechanisms: Ion channels and calcium dynamics that the parameters use, NEURON's built-in ones left out.
        parameters: Frozen and free parameters.
        distributions: Formulas the parameters refer to.
        replace_axon: Whether a 60 um stub takes the place of the reconstructed axon.
        temperature_degC: Temperature (degC).
        initial_voltage_mV: Voltage that a simulation starts from (mV).
        segment_length_um: Longest segment (um); sections get an odd number of them.
    """

    name: str
    morphology: Morphology
    mechanisms: tuple[Mechanism, ...]
    parameters: tuple[CellParameter, ...]
    distributions: tuple[Distribution, ...] = ()
    replace_axon: bool = True
    temperature_degC: float = 34.0
    initial_voltage_mV: float = -80.0
    segment_length_um: float = 40.0

    @property
    def free_parameters(self) -> tuple[CellParameter, ...]:
        """The parameters that a search moves, in the order of `parameters`."""
        return tuple(parameter for parameter in self.parameters if parameter.is_free)

    @property
    def dimensions(self) -> tuple[Dimension, ...]:
        """The box that a search moves in: the free parameters in their order."""
        return tuple(parameter.dimension for parameter in self.free_parameters)
