"""The process that NEURON lives in: builds one object and answers calls of its methods, one at a time.

Started by `supervisor.py` as `python -m rheobase.campaigns.simulator_process FD`; FD is its end of a pipe.
"""

from __future__ import annotations

import os
import signal
import sys
from multiprocessing.connection import Connection
from pickle import PicklingError

from rheobase.campaigns.last_words import NEW_CALL
from rheobase.features.errors import RheobaseError


def serve(connection: Connection) -> None:
    """Build what the first message names, then answer calls until the other end is closed.

    Messages in: (factory, arguments) once, then (method, arguments). Messages out: ("done", result), or
    ("error", text) for errors that a user can mend, or ("defect", text) for any other.
    """
    try:
        try:
            factory, arguments = connection.recv()
        except (ImportError, AttributeError) as error:
            connection.send(("defect", f"{error}; is the same software installed here as where the campaign runs?"))
            return
        built = _answer(connection, lambda: factory(*arguments), returns=False)
        while built is not None:
            method, arguments = connection.recv()
            _answer(connection, lambda: getattr(built, method)(*arguments), returns=True)  # noqa: B023 - called at once
    except (EOFError, ConnectionError):
        return  # the supervisor is gone


def _answer(connection: Connection, call: object, returns: bool) -> object:
    sys.stdout.flush()
    os.write(2, NEW_CALL.encode())
    try:
        result = call()  # type: ignore[operator]
    except RheobaseError as error:
        connection.send(("error", str(error)))
        return None
    except Exception as error:  # reported, not swallowed: the supervisor decides
        connection.send(("defect", f"{type(error).__name__}: {error}"))
        return None
    try:
        connection.send(("done", result if returns else None))
    except (TypeError, AttributeError, PicklingError) as error:
        connection.send(("defect", f"its result cannot be sent: {error}"))
    return result


def main() -> None:
    """Entry point of the process."""
    _die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the campaign's to handle
    os.dup2(2, 1)  # NEURON's print statements go to the log, whatever mechanisms say
    serve(Connection(int(sys.argv[1])))


def _die_with_parent() -> None:
    """Ask Linux to end this process when its supervisor ends, however that happens."""
    if sys.platform != "linux":
        return
    import ctypes

    set_parent_death_signal = 1
    ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL)


if __name__ == "__main__":
    main()
