from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from rheobase.features.errors import RecordingError
from rheobase.features.signals.eeg_files import read_eeg
from rheobase.features.signals.files import read_signal
from tests.features.signals.written_files import write_brainvision, write_edf
from tests.shared_data import shared

mne = pytest.importorskip("mne")


def rhythms(channels=3, samples=1000, rate_Hz=250):
    times_s = np.arange(samples) / rate_Hz
    return np.array([50.0 * np.sin(2 * np.pi * (8 + number) * times_s) for number in range(channels)])


def mne_raw(kinds=("eeg", "eeg", "eog"), samples=1000, first_samp=0):
    names = [f"C{number}" for number in range(len(kinds))]
    info = mne.create_info(names, 250.0, list(kinds))
    return mne.io.RawArray(rhythms(len(kinds), samples) * 1e-6, info, first_samp=first_samp, verbose="error")


@pytest.mark.parametrize("ending", [".edf", ".bdf"])
def test_european_data_format(tmp_path, ending):
    path = tmp_path / f"a{ending}"
    write_edf(path, rhythms(), 250)
    signal = read_eeg(path)
    np.testing.assert_allclose(signal.values, rhythms(), atol=0.06)
    assert (signal.sampling_rate_Hz, signal.unit) == (250.0, "uV")
    assert signal.channels == ("EEG 0", "EEG 1", "EEG 2")


@pytest.mark.parametrize(("unit", "factor"), [("mV", 1e-3), ("V", 1e-6), ("µV", 1.0)])
def test_units_of_the_european_data_format(tmp_path, unit, factor):
    path = tmp_path / "a.edf"
    write_edf(path, rhythms() * factor, 250, unit, physical=(-round(100.0 * factor, 6), round(100.0 * factor, 6)))
    np.testing.assert_allclose(read_eeg(path).values, rhythms(), atol=0.06)


@pytest.mark.parametrize("unit", ["", "uv", "mv", "nV"])
def test_a_unit_that_is_none_is_not_taken_for_volts(tmp_path, unit):
    path = tmp_path / "a.edf"
    write_edf(path, rhythms(), 250, unit)
    with pytest.raises(RecordingError, match=rf"a\.edf: expected .* 'EEG 0' in uV, mV or V, the file says '{unit}'"):
        read_eeg(path)


@pytest.mark.parametrize("ending", [".edf", ".bdf"])
def test_a_unit_can_be_stated(tmp_path, ending):
    path = tmp_path / f"a{ending}"
    write_edf(path, rhythms(), 250, unit="")
    np.testing.assert_allclose(read_signal(path, unit="uV").values, rhythms(), atol=0.06)


def test_brainvision(tmp_path):
    path = tmp_path / "a.vhdr"
    write_brainvision(path, rhythms(), 250, markers=[("S  1", 250), ("S  2", 500)])
    signal = read_signal(path)
    np.testing.assert_allclose(signal.values, rhythms(), atol=0.06)
    assert (signal.sampling_rate_Hz, signal.channels) == (250.0, ("Ch1", "Ch2", "Ch3"))
    stimuli = [(event.name, event.onset_ms) for event in signal.events if not event.unusable]
    assert stimuli == [("Stimulus/S  1", 1000.0), ("Stimulus/S  2", 2000.0)]


def test_fif_with_events_bad_channels_and_a_late_start(tmp_path):
    raw = mne_raw(("eeg", "eeg", "eog", "stim"), first_samp=500)
    raw.set_meas_date(0)
    raw.set_annotations(
        mne.Annotations([3.0, 3.5], [0.0, 0.25], ["tone", "BAD_blink"], orig_time=raw.info["meas_date"])
    )
    raw._data[3] = 0.0
    raw._data[3, 300:310] = 7.0
    raw.info["bads"] = ["C1"]
    raw.save(tmp_path / "a_raw.fif", verbose="error")
    signal = read_eeg(tmp_path / "a_raw.fif")
    assert signal.channels == ("C0",)
    found = [(event.name, event.onset_ms, event.duration_ms, event.unusable) for event in signal.events]
    # The recording begins 2 s after the clock.
    assert found == [("tone", 1000.0, 0.0, False), ("7", 1200.0, 0.0, False), ("BAD_blink", 1500.0, 250.0, True)]
    np.testing.assert_allclose(signal.values, rhythms()[:1], atol=1e-4)
    named = read_eeg(tmp_path / "a_raw.fif", channels=["C1", "C0"])
    np.testing.assert_allclose(named.values, rhythms()[[1, 0]], atol=1e-4)
    assert read_eeg(tmp_path / "a_raw.fif", kind="eog").channels == ("C2",)


@pytest.mark.parametrize(
    ("kind", "unit", "factor"),
    [("mag", "fT", 1e9), ("grad", "fT/cm", 1e7), ("ecog", "uV", 1.0), ("dipole", "nA m", 1e3)],
)
def test_kinds_of_channels_have_their_units(tmp_path, kind, unit, factor):
    mne_raw((kind,)).save(tmp_path / "a_raw.fif", verbose="error")
    signal = read_eeg(tmp_path / "a_raw.fif", kind=kind)
    assert signal.unit == unit
    np.testing.assert_allclose(signal.values, rhythms(1) * factor, atol=1e-4 * factor)


def test_epochs_of_fif(tmp_path):
    events = np.array([[250, 0, 1], [500, 0, 2], [700, 0, 1]])
    epochs = mne.Epochs(
        mne_raw(), events, {"standard": 1, "deviant": 2}, -0.2, 0.4, baseline=None, preload=True, verbose="error"
    )
    epochs.save(tmp_path / "a-epo.fif", verbose="error")
    signal = read_eeg(tmp_path / "a-epo.fif")
    assert (signal.values.shape, signal.start_ms) == ((3, 2, 151), -200.0)
    assert [event.name for event in signal.events] == ["standard", "deviant", "standard"]
    assert signal.events[1].onset_ms == 2000.0
    np.testing.assert_allclose(signal.epochs_of("deviant").values[0], rhythms()[:2, 450:601], atol=1e-4)


def test_epochs_of_eeglab(tmp_path):
    from scipy.io import savemat

    values = rhythms(2, 600).reshape(2, 3, 200)  # channels, epochs, samples
    labels = np.array([("Cz", "EEG"), ("Pz", "EEG")], dtype=[("labels", object), ("type", object)])
    event = np.array(
        [(51.0, "standard", 1), (251.0, "deviant", 2), (451.0, "standard", 3)],
        dtype=[("latency", object), ("type", object), ("epoch", object)],
    )
    epoch = np.array(
        [(number + 1, name, 0.0) for number, name in enumerate(["standard", "deviant", "standard"])],
        dtype=[("event", object), ("eventtype", object), ("eventlatency", object)],
    )
    content = {"nbchan": 2, "trials": 3, "pnts": 200, "srate": 250.0, "xmin": -0.2, "xmax": 0.596, "chanlocs": labels}
    content |= {"data": values.transpose(0, 2, 1), "event": event, "epoch": epoch, "icawinv": [], "icaweights": []}
    savemat(tmp_path / "a.set", {"EEG": content}, appendmat=False)
    signal = read_eeg(tmp_path / "a.set")
    np.testing.assert_allclose(signal.values, values.transpose(1, 0, 2), atol=1e-9)
    assert (signal.start_ms, signal.sampling_rate_Hz) == (-200.0, 250.0)
    assert [found.name for found in signal.events] == ["standard", "deviant", "standard"]


def test_channels_are_read_by_name():
    path = shared("eeg_meg", "eeglab_data.set")
    whole, two = read_eeg(path), read_eeg(path, channels=["POz", "FPz"])
    assert two.channels == ("POz", "FPz")
    assert two.values.tolist() == whole.pick("POz", "FPz").values.tolist()


def damaged_eeglab(folder, kept):
    source = shared("eeg_meg", "eeglab_data.set")
    shutil.copyfile(source, folder / "eeglab_data.set")
    samples = source.with_suffix(".fdt").read_bytes()
    (folder / "eeglab_data.fdt").write_bytes(samples[: int(kept * len(samples))])
    return folder / "eeglab_data.set"


@pytest.mark.parametrize("kept", [0.0, 0.5, 0.99999])
def test_samples_that_are_cut_off(tmp_path, kept):
    with pytest.raises(
        RecordingError, match=r"eeglab_data\.set cannot be read as an EEG or MEG file: Incorrect number"
    ):
        read_eeg(damaged_eeglab(tmp_path, kept))


@pytest.mark.parametrize("ending", [".edf", ".bdf", ".eeg", ".fif"])
@pytest.mark.parametrize("kept", [0.02, 0.1, 0.5, 0.77, 0.999])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_what_is_read_of_a_file_that_is_cut_off_is_right(tmp_path, ending, kept):
    path = tmp_path / f"a_raw{ending}"
    if ending == ".eeg":
        write_brainvision(path.with_suffix(".vhdr"), rhythms(), 250)
    elif ending == ".fif":
        mne_raw(("eeg",) * 3).save(path, verbose="error")
    else:
        write_edf(path, rhythms(), 250)
    path.write_bytes(path.read_bytes()[: int(kept * path.stat().st_size)])
    try:
        signal = read_eeg(path.with_suffix(".vhdr") if ending == ".eeg" else path)
    except RecordingError as error:
        assert "cannot be read as an EEG or MEG file" in str(error)  # noqa: PT017
    else:
        np.testing.assert_allclose(signal.values, rhythms()[:, : signal.samples], atol=0.06)


def test_half_a_pair_of_files(tmp_path):
    path = damaged_eeglab(tmp_path, 0.0)
    path.with_suffix(".fdt").unlink()
    with pytest.raises(RecordingError, match=r"eeglab_data\.set cannot be read as an EEG or MEG file: .*\.fdt"):
        read_eeg(path)
    write_brainvision(tmp_path / "b.vhdr", rhythms(), 250)
    (tmp_path / "b.eeg").unlink()
    with pytest.raises(RecordingError, match=r"b\.vhdr cannot be read as an EEG or MEG file"):
        read_eeg(tmp_path / "b.vhdr")


@pytest.mark.parametrize("name", ["a.set", "a.edf", "a.bdf", "a.vhdr", "a_raw.fif", "a-epo.fif", "a.xyz"])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_files_that_are_none(tmp_path, name):
    path = tmp_path / name
    with pytest.raises(RecordingError, match="there is no such file"):
        read_eeg(path)
    path.write_bytes(b"")
    with pytest.raises(RecordingError, match="the file is empty"):
        read_eeg(path)
    path.write_bytes(b"0       " + bytes(range(256)) * 8)
    with pytest.raises(RecordingError, match=f"{name} cannot be read as an EEG or MEG file: "):
        read_eeg(path)


def test_samples_that_no_electrode_has(tmp_path):
    path = tmp_path / "a.edf"
    write_edf(path, rhythms(), 250, unit="V")
    with pytest.raises(RecordingError, match=r"a\.edf, channel 'EEG 0': 50 V is beyond 1 V"):
        read_eeg(path)


def test_what_is_not_in_a_file(tmp_path):
    mne_raw(("mag", "mag", "eog")).save(tmp_path / "a_raw.fif", verbose="error")
    with pytest.raises(RecordingError, match="no usable channels of the kind eeg; it has 2 mag, 1 eog: name another"):
        read_eeg(tmp_path / "a_raw.fif")
    with pytest.raises(RecordingError, match="there is no channel 'Cz' of the kind mag; there are C0, C1"):
        read_eeg(tmp_path / "a_raw.fif", kind="mag", channels=["Cz"])
    with pytest.raises(RecordingError, match=r"expected a kind of channels among eeg, .* got 'brain'"):
        read_eeg(tmp_path / "a_raw.fif", kind="brain")


def test_the_install_line_is_named_where_mne_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "mne", None)
    with pytest.raises(RecordingError, match=r"install it with: pip install 'rheobase\[eeg\]'"):
        read_eeg(Path("a.edf"))
