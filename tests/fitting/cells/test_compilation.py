from __future__ import annotations

import multiprocessing
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rheobase.features.errors import ModelError
from rheobase.fitting.cells import compilation
from rheobase.fitting.cells.compilation import cache_folder, compile_mechanisms, load_mechanisms
from rheobase.fitting.cells.mechanisms import Mechanism, parse_mechanism
from tests.fitting.cells.processes import in_new_process

TRUE_NRNIVMODL = Path(sys.executable).parent / "nrnivmodl"

LEAK = """
NEURON {
    THREADSAFE
    SUFFIX NAME
    NONSPECIFIC_CURRENT i
    RANGE g, e
}
PARAMETER {
    g = GBAR (S/cm2)
    e = -70 (mV)
}
ASSIGNED { v (mV) i (mA/cm2) }
BREAKPOINT { i = g*(v - e) }
"""


def leak_text(name: str = "leak", conductance: float = 1e-4) -> str:
    return LEAK.replace("NAME", name).replace("GBAR", str(conductance))


def leak(name: str = "leak", conductance: float = 1e-4) -> Mechanism:
    return parse_mechanism(leak_text(name, conductance), f"/somewhere/{name}.mod")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("RHEOBASE_CACHE", str(folder))
    return folder


@pytest.fixture
def counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file with a line for each run of nrnivmodl: a script of that name stands before the true one."""
    return count_runs(tmp_path, monkeypatch)


def count_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str = "") -> Path:
    calls = tmp_path / "calls"
    calls.touch()
    folder = tmp_path / "bin"
    folder.mkdir(exist_ok=True)
    script = folder / "nrnivmodl"
    script.write_text(f'#!/bin/sh\necho run >> "{calls}"\n{before}\nexec "{TRUE_NRNIVMODL}" "$@"\n')
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    # nrnivmodl is looked for beside Python first.
    monkeypatch.setattr(sys, "executable", str(folder / "python"))
    monkeypatch.setenv("PATH", f"{TRUE_NRNIVMODL.parent}{os.pathsep}{os.environ['PATH']}")
    return calls


def runs(calls: Path) -> int:
    return len(calls.read_text().splitlines())


class TestCache:
    def test_compiles_once(self, cache: Path, counted: Path) -> None:
        first = compile_mechanisms([leak("leakone"), leak("leaktwo")])
        assert first.is_file()
        assert first.is_relative_to(cache)
        assert runs(counted) == 1
        assert compile_mechanisms([leak("leaktwo"), leak("leakone")]) == first  # in any order
        assert runs(counted) == 1

    def test_key_is_content_neuron_and_machine(self, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def key(*mechanisms: Mechanism) -> str:
            return compile_mechanisms(mechanisms).parent.name

        monkeypatch.setattr(compilation, "_compile", fake_compilation)
        usual = key(leak())
        assert key(leak()) == usual
        assert key(leak(conductance=2e-4)) != usual
        assert key(leak("other")) != usual
        assert key(leak(), leak("other")) != usual
        monkeypatch.setattr(compilation, "version", lambda _: "8.2.7")
        assert key(leak()) != usual
        monkeypatch.undo()
        monkeypatch.setenv("RHEOBASE_CACHE", str(cache))
        monkeypatch.setattr(compilation, "_compile", fake_compilation)
        monkeypatch.setattr(compilation.platform, "machine", lambda: "aarch64")
        assert key(leak()) != usual

    @pytest.mark.usefixtures("cache")
    def test_the_files_name_does_not_matter(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(compilation, "_compile", fake_compilation)
        elsewhere = parse_mechanism(leak_text(), "/elsewhere/another_name.mod")
        assert compile_mechanisms([leak()]) == compile_mechanisms([elsewhere])

    @pytest.mark.usefixtures("cache")
    def test_two_processes_at_once(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        calls = count_runs(tmp_path, monkeypatch, before="sleep 1")
        context = multiprocessing.get_context("fork")  # keeps the patched sys.executable
        results = context.Queue()
        processes = [context.Process(target=compile_into, args=(results,)) for _ in range(3)]
        for process in processes:
            process.start()
        found = [results.get(timeout=120) for _ in processes]
        for process in processes:
            process.join(timeout=30)
        assert len(set(found)) == 1
        assert Path(found[0]).is_file()
        assert runs(calls) == 1

    def test_a_killed_compilation_is_redone(self, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        calls = count_runs(tmp_path, monkeypatch, before="mkdir -p x86_64; touch x86_64/libnrnmech.so; sleep 60")
        context = multiprocessing.get_context("fork")
        process = context.Process(target=compile_in_group, args=(context.Queue(),))
        process.start()
        deadline = time.monotonic() + 30
        while not list(cache.glob("mechanisms/*/x86_64/libnrnmech.so")):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGKILL)
        process.join(timeout=30)
        assert process.exitcode == -signal.SIGKILL
        count_runs(tmp_path, monkeypatch)
        library = compile_mechanisms([leak()])
        assert library.stat().st_size > 1000
        assert runs(calls) == 2

    def test_where_the_cache_lies(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("RHEOBASE_CACHE", str(tmp_path / "here"))
        assert cache_folder() == tmp_path / "here"
        monkeypatch.delenv("RHEOBASE_CACHE")
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        assert cache_folder() == tmp_path / "rheobase"
        monkeypatch.delenv("XDG_CACHE_HOME")
        assert cache_folder() == Path.home() / ".cache" / "rheobase"


def fake_compilation(mechanisms: object, folder: Path, coreneuron: bool) -> Path:
    folder.mkdir(parents=True)
    (folder / "library.so").touch()
    return folder / "library.so"


def compile_into(results: multiprocessing.Queue[str]) -> None:
    results.put(str(compile_mechanisms([leak()])))


def compile_in_group(results: multiprocessing.Queue[str]) -> None:
    os.setpgid(0, 0)  # so that nrnivmodl dies with it
    compile_into(results)


class TestComplaints:
    def test_broken_file(self, cache: Path) -> None:
        broken = parse_mechanism(leak_text().replace("BREAKPOINT {", "BREAKPOINT { nonsense nonsense"), "/my/leak.mod")
        with pytest.raises(ModelError, match=r"(?s)nrnivmodl could not compile the mechanisms \(/my/leak.mod\):.*leak"):
            compile_mechanisms([broken])
        assert not list(cache.glob("mechanisms/*/library"))
        compile_mechanisms([leak("leakafter")])

    @pytest.mark.usefixtures("cache")
    def test_the_complaint_itself_is_shown(self) -> None:
        broken = parse_mechanism(leak_text().replace("g*(v", "g*undeclared*(v"), "/my/leak.mod")
        with pytest.raises(ModelError, match="undeclared"):
            compile_mechanisms([broken])

    @pytest.mark.usefixtures("cache")
    def test_no_compiler(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.delenv("CXX", raising=False)
        with pytest.raises(ModelError, match=r"needs a C\+\+ compiler and make.*apt install g\+\+ make"):
            compile_mechanisms([leak()])

    @pytest.mark.usefixtures("cache")
    def test_no_make(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        compiler = tmp_path / "c++"
        compiler.write_text("#!/bin/sh\nexit 1\n")
        compiler.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.delenv("CXX", raising=False)
        with pytest.raises(ModelError, match=r"needs a C\+\+ compiler and make.*apt install g\+\+ make"):
            compile_mechanisms([leak()])

    @pytest.mark.usefixtures("cache")
    def test_no_nrnivmodl(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("c++", "make"):
            (tmp_path / name).write_text("#!/bin/sh\n")
            (tmp_path / name).chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.delenv("CXX", raising=False)
        monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
        with pytest.raises(ModelError, match="nrnivmodl, which comes with NEURON, is not on the PATH"):
            compile_mechanisms([leak()])


class TestLoading:
    """Each in a process of its own: a mechanism stays loaded for good."""

    def environment(self, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
        return {"RHEOBASE_CACHE": str(tmp_path_factory.getbasetemp() / "loading")}

    def test_twice_is_no_error(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        assert in_new_process(load_twice, environment=self.environment(tmp_path_factory)) == [1e-4, 1e-4]

    def test_another_of_the_same_name(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        message = in_new_process(load_another, environment=self.environment(tmp_path_factory))
        assert "already loaded another mechanism named 'leak' than /somewhere/leak.mod" in message
        assert "start a new process" in message

    def test_the_name_of_a_built_in_mechanism(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        message = in_new_process(load_named_pas, environment=self.environment(tmp_path_factory))
        assert "already loaded another mechanism named 'pas'" in message

    def test_more_mechanisms_later(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        assert in_new_process(load_more, environment=self.environment(tmp_path_factory)) == [1e-4, 3e-4]

    def test_found_in_the_working_folder(self, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
        """NEURON loads ./x86_64 by itself; the message says so."""
        (tmp_path / "leak.mod").write_text(leak_text())
        path = f"{TRUE_NRNIVMODL.parent}{os.pathsep}{os.environ['PATH']}"
        subprocess.run(
            [TRUE_NRNIVMODL], cwd=tmp_path, check=True, capture_output=True, env={**os.environ, "PATH": path}
        )
        message = in_new_process(load_in, str(tmp_path), environment=self.environment(tmp_path_factory))
        assert "remove x86_64/ from the working folder" in message


def load_twice() -> list[float]:
    return [inserted_conductance(leak()) for _ in range(2)]


def load_more() -> list[float]:
    return [inserted_conductance(leak()), inserted_conductance(leak("leakmore", 3e-4))]


def load_another() -> str:
    load_mechanisms([leak()])
    return complaint(leak(conductance=2e-4))


def load_named_pas() -> str:
    return complaint(leak("pas"))


def load_in(folder: str) -> str:
    os.chdir(folder)
    return complaint(leak())


def complaint(mechanism: Mechanism) -> str:
    try:
        load_mechanisms([mechanism])
    except ModelError as error:
        return str(error)
    return "no error"


def inserted_conductance(mechanism: Mechanism) -> float:
    from neuron import h

    load_mechanisms([mechanism])
    section = h.Section()
    section.insert(mechanism.name)
    return float(getattr(section(0.5), mechanism.name).g)
