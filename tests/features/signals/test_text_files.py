from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rheobase.features.errors import RecordingError
from rheobase.features.signals.files import read_signal
from rheobase.features.signals.spectrum_files import read_spectrum_matlab, read_spectrum_text
from rheobase.features.signals.text_files import read_columns, read_table


def written(folder, text, name="a.txt"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_columns_are_trials(tmp_path):
    path = written(tmp_path, "# dipole\n0.0 1.0 10.0\n2.5 2.0 20.0\n5.0 3.0 30.0\n")
    signal = read_signal(path, unit="nA m")
    assert signal.values.tolist() == [[[1.0, 2.0, 3.0]], [[10.0, 20.0, 30.0]]]
    assert (signal.sampling_rate_Hz, signal.start_ms, signal.unit) == (400.0, 0.0, "nA m")


def test_columns_are_channels(tmp_path):
    path = written(tmp_path, "-0.1,1,10\n0,2,20\n0.1,3,30\n")
    signal = read_columns(path, "uV", "channels", time_unit="s", channels=("Cz", "Pz"))
    assert signal.values.tolist() == [[1.0, 2.0, 3.0], [10.0, 20.0, 30.0]]
    assert (signal.sampling_rate_Hz, signal.start_ms, signal.channels) == (10.0, -100.0, ("Cz", "Pz"))


def test_a_table_with_heads(tmp_path):
    path = written(tmp_path, "# a note\ntime (s),Cz (uV),Pz (mV)\n0.00,1,0.01\n0.01,2,0.02\n0.02,3,0.03\n", "a.csv")
    signal = read_signal(path)
    assert signal.values == pytest.approx(np.array([[1.0, 2.0, 3.0], [10.0, 20.0, 30.0]]))
    assert (signal.sampling_rate_Hz, signal.unit, signal.channels) == (pytest.approx(100.0), "uV", ("Cz", "Pz"))


def test_a_table_whose_heads_say_less(tmp_path):
    path = written(tmp_path, "Cz\tPz [mV]\n1\t10\n2\t20\n", "a.tsv")
    signal = read_table(path, unit="mV", sampling_rate_Hz=250.0)
    assert (signal.values.tolist(), signal.sampling_rate_Hz, signal.unit) == ([[1.0, 2.0], [10.0, 20.0]], 250.0, "mV")


@settings(max_examples=30, deadline=None)
@given(
    values=st.lists(st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=3), min_size=2, max_size=20),
    rate_Hz=st.sampled_from([100.0, 128.0, 250.0, 600.0, 1000.0]),
)
def test_what_is_written_is_read(tmp_path_factory, values, rate_Hz):
    path = tmp_path_factory.mktemp("table") / "a.csv"
    table = np.column_stack((np.arange(len(values)) / rate_Hz, values))
    np.savetxt(path, table, fmt="%.17g", delimiter=",", header="time (s),a (uV),b (uV),c (uV)", comments="")
    signal = read_table(path)
    assert signal.values.T.tolist() == values
    assert signal.sampling_rate_Hz == pytest.approx(rate_Hz)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.txt", "0 1\n1 2\n2", "its last line has no end"),
        ("a.txt", "# only a note\n", "there are no samples in it"),
        ("a.txt", "0 1\n1 2\n3 3\n4 4\n", "even intervals"),
        ("a.txt", "0 1\n2 2\n1 3\n", "times must increase, but sample 2 is at 1 after 2"),
        ("a.txt", "0 1\n1 2 3\n", "cannot be read as columns of numbers"),
        ("a.txt", "0 1\n1 two\n", "cannot be read as columns of numbers: .*two"),
        ("a.txt", "0 1\n1 nan\n2 3\n", "cannot be read as columns of numbers: .*1 samples are not numbers"),
        ("a.txt", "0\n1\n2\n", "at least one of samples, got 1"),
        ("a.csv", "time (ms),Cz\n0,1\n1,2\n", r"the column 'Cz' has no unit; write 'Cz \(uV\)', or state unit='uV'"),
        ("a.csv", "time,Cz (uV)\n0,1\n1,2\n", r"the column 'time' has no unit; write its head like 'time \(ms\)'"),
        ("a.csv", "Cz (uV),Pz (uV)\n0,1\n1,2\n", "where there is none, state sampling_rate_Hz"),
        ("a.csv", "t (ms),t2 (s),Cz (uV)\n0,0,1\n1,1,2\n", "expected one column of times, got 2"),
        ("a.csv", "time (ms),Cz (uV),Iz (nA)\n0,1,2\n1,2,3\n", "units of different kinds: 'nA' and 'uV'"),
        ("a.csv", "0,1\n1,2\n", "expected a line of column heads such as"),
        ("a.csv", "time (ms),Cz (uV)\n", "there are no samples in it"),
        ("a.csv", "time (ms),Cz (uV)\n0,1,2\n1,2,3\n", "2 column heads, but 3 columns"),
        ("a.csv", "time (ms)\n0\n1\n", "there is no column of samples"),
        ("a.csv", "", "the file is empty"),
    ],
)
def test_texts_that_cannot_be_read(tmp_path, name, text, message):
    with pytest.raises(RecordingError, match=message):
        read_signal(written(tmp_path, text, name), unit="uV" if name == "a.txt" else None)


def test_what_a_text_file_does_not_state(tmp_path):
    path = written(tmp_path, "0 1\n1 2\n")
    with pytest.raises(RecordingError, match=r"a\.txt: a text file does not state the unit .* as unit='nA m'"):
        read_signal(path)
    with pytest.raises(RecordingError, match="expected times in ms, s or another unit of time, got 'mV'"):
        read_columns(path, "uV", time_unit="mV")
    with pytest.raises(RecordingError, match="expected columns='trials' or 'channels', got 'rows'"):
        read_columns(path, "uV", "rows")


def test_spectra_in_decibels_and_not(tmp_path):
    path = written(tmp_path, "0,10,20\n-10,0,10\n", "a.csv")
    spectrum = read_spectrum_text(path, np.arange(3.0))
    assert spectrum.power == pytest.approx(np.array([[1.0, 10.0, 100.0], [0.1, 1.0, 10.0]]))
    linear = read_spectrum_text(written(tmp_path, "0 10 20\n"), np.arange(3.0), "linear", "mV^2/Hz", ("Cz",))
    assert (linear.power.tolist(), linear.unit, linear.channels) == ([[0.0, 10.0, 20.0]], "mV^2/Hz", ("Cz",))


def test_spectra_that_cannot_be_read(tmp_path):
    path = written(tmp_path, "0,10,20\n-10,0,10\n", "a.csv")
    with pytest.raises(RecordingError, match=r"one column for each of 5 frequencies .* got a matrix of 2 x 3"):
        read_spectrum_text(path, np.arange(5.0))
    with pytest.raises(RecordingError, match="a matrix of 2 x 3; it seems to be turned"):
        read_spectrum_text(path, np.arange(2.0))
    with pytest.raises(RecordingError, match="power of channel '2' at 0 Hz is -10; power in dB has to be converted"):
        read_spectrum_text(path, np.arange(3.0), "linear")
    with pytest.raises(RecordingError, match="the scale is 'dB' or 'linear', got 'bel'"):
        read_spectrum_text(path, np.arange(3.0), "bel")
    with pytest.raises(RecordingError, match="cannot be read as a matrix of a power spectrum"):
        read_spectrum_text(written(tmp_path, "1,2\n3,4,5\n", "b.csv"), np.arange(2.0))


def test_matlab_files_of_spectra(tmp_path):
    from scipy.io import savemat

    path = tmp_path / "a.mat"
    savemat(path, {"psd": [[0.0, 10.0, 20.0]], "f": np.arange(3, dtype=np.uint8)})
    assert read_spectrum_matlab(path, "psd", "f").power == pytest.approx(np.array([[1.0, 10.0, 100.0]]))
    with pytest.raises(RecordingError, match=r"a\.mat has no variable 'psdAll'; it has f, psd"):
        read_spectrum_matlab(path)
    path.write_bytes(path.read_bytes()[:150])
    with pytest.raises(RecordingError, match="cannot be read as a MATLAB file of a power spectrum"):
        read_spectrum_matlab(path, "psd", "f")
    path.write_bytes(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + bytes(400))
    with pytest.raises(RecordingError, match=r"version 7\.3; save it with: save\(\.\.\., '-v7'\)"):
        read_spectrum_matlab(path)
