"""Export of a model to hoc: what NEURON runs without Python or rheobase, and scores alike."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rheobase.fitting.cells.ephys import ephys_model

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rheobase.fitting.cells.model import CellModel

_TEMPLATE = "cell.hoc.jinja"

_STUB = """
proc replace_axon() { local sections, first_diameter, second_diameter, length
  sections = 0
  forsec axonal { sections += 1 }
  first_diameter = 1
  second_diameter = 1
  if (sections > 0) { axon[0] { first_diameter = diam } second_diameter = first_diameter }
  if (sections > 1) {
    soma[0] distance(0, 0.5)
    forsec axonal {
      if (distance(0.5) > 60) { second_diameter = diam break }
    }
  }
  forsec axonal { delete_section() }
  create axon[2]
  axon[0] { L = 30 diam = first_diameter }
  axon[1] { L = 30 diam = second_diameter }
  for sections = 0, 1 { axon[sections] { nseg = 1 + 2 * int(L / SEGMENT_LENGTH) all.append() axonal.append() } }
  soma[0] connect axon[0](0), 1
  axon[0] connect axon[1](0), 1
}
"""

_RUN = """\
// Runs the exported model with a current step and writes time (ms) and somatic voltage (mV) to trace.txt.
// nrnivmodl mechanisms && ./x86_64/special -nogui run.hoc
{{load_file("stdrun.hoc")}}
{{load_file("{name}.hoc")}}
objref cell, holding_clamp, step_clamp, file
cell = new {name}("morphology")
celsius = {celsius:.17g}
v_init = {v_init:.17g}
cvode_active(1)
cvode.atol(1e-3)
access cell.soma[0]
holding_clamp = new IClamp(0.5)
holding_clamp.dur = 1e9
holding_clamp.amp = {holding:.17g}
step_clamp = new IClamp(0.5)
step_clamp.del = 1000
step_clamp.dur = {duration:.17g}
step_clamp.amp = {amplitude:.17g}
tstop = step_clamp.del + step_clamp.dur + 100
objref times, voltages
times = new Vector()
voltages = new Vector()
times.record(&t)
voltages.record(&cell.soma.v(0.5))
run()
file = new File()
file.wopen("trace.txt")
for i = 0, times.size() - 1 {{ file.printf("%.9g %.9g\\n", times.x[i], voltages.x[i]) }}
file.close()
"""


def hoc_template(model: CellModel, parameters: Mapping[str, float], name: str) -> str:
    """Text of a hoc template with all parameters set.

    Args:
        model: The model.
        parameters: Value of each free parameter, by name.
        name: Name of the template: letters, digits, underscores.
    """
    built = ephys_model(model)
    built.name = name
    built.morphology.replace_axon_hoc = _STUB.replace("SEGMENT_LENGTH", f"{model.segment_length_um:.17g}")
    text: str = built.create_hoc(
        dict(parameters), template=_TEMPLATE, template_dir=str(Path(__file__).parent), disable_banner=True
    )
    return text.replace("SEGMENT_LENGTH", f"{model.segment_length_um:.17g}")


def write_hoc(
    model: CellModel,
    parameters: Mapping[str, float],
    name: str,
    folder: Path,
    holding_current_nA: float,
    amplitude_nA: float,
    duration_ms: float,
) -> None:
    """Write one model with everything that NEURON needs: template, morphology, mechanisms, a script that runs it."""
    (folder / "morphology").mkdir(parents=True, exist_ok=True)
    (folder / "mechanisms").mkdir(exist_ok=True)
    (folder / f"{name}.hoc").write_text(hoc_template(model, parameters, name), encoding="utf-8")
    (folder / "morphology" / model.morphology.name).write_bytes(model.morphology.content)
    for mechanism in model.mechanisms:
        (folder / "mechanisms" / f"{mechanism.name}.mod").write_text(mechanism.text, encoding="utf-8")
    script = _RUN.format(
        name=name,
        celsius=model.temperature_degC,
        v_init=model.initial_voltage_mV,
        holding=holding_current_nA,
        amplitude=amplitude_nA,
        duration=duration_ms,
    )
    (folder / "run.hoc").write_text(script, encoding="utf-8")
