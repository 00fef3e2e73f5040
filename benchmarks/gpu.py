"""Everything that only a GPU can settle, in pieces that can be resumed: `make gpu`.

    python benchmarks/gpu.py [--out gpu] [--time-limit 3600] [--data-dir FOLDER] [--only NAME ...]
    python benchmarks/gpu.py --small       # small versions of the same pieces, on a CPU

Each piece writes OUT/NAME.json: how it ended, how long it took, and the last lines of its commands.
A finished piece is not repeated; one that failed, or ran out of time, is started again or
continued. No piece starts that would not end within the limit. None takes more than nine minutes at
a time: a calibration is called again until it is finished, and writes its summary each time. A GPU
on which nothing could run is refused before the first piece, as by `harness run`.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from gpu_pieces import Command, Piece, Setting, list_gpu_workloads, pieces

from harness.cli.machine import choose_device
from harness.core.errors import HarnessError
from harness.providers import registry
from harness.runs.device import ready_device

MOST_S = 540.0
"""The maximum duration of one call of a piece."""
GRACE_S = 20.0
"""The time that an interrupted command gets for writing its results."""
LINES = 60
"""How many of a command's last lines its summary keeps."""
DONE, FAILED, INTERRUPTED = "done", "failed", "interrupted"


@dataclass(frozen=True)
class EndedCommand:
    """A command that has ended."""

    command: str
    code: int | None
    """Its exit code; None if it ran out of time."""
    seconds: float
    lines: list[str]


@dataclass(frozen=True)
class Summary:
    """The summary of a piece, as it is written."""

    piece: str
    state: str
    seconds: float
    """The duration of all calls together."""
    commands: list[EndedCommand]


def run_piece(piece: Piece, limit_s: float, earlier_s: float = 0.0) -> Summary:
    """Run a piece's commands until one fails or the time is over.

    Args:
        piece: the piece.
        limit_s: the time that it has.
        earlier_s: the duration of its earlier calls.
    """
    start_s, commands, state = time.monotonic(), list[EndedCommand](), DONE
    for command in piece.commands:
        commands.append(run_command(command, limit_s - (time.monotonic() - start_s)))
        if commands[-1].code != 0:
            state = INTERRUPTED if commands[-1].code is None else FAILED
            break
    seconds = round(earlier_s + time.monotonic() - start_s, 1)
    return Summary(piece.name, state, seconds, commands)


def run_command(command: Command, limit_s: float) -> EndedCommand:
    """Run a command in a process group of its own; interrupt it when its time is over."""
    start_s, code = time.monotonic(), None
    variables = {**os.environ, "JAX_PLATFORMS": os.environ.get("JAX_PLATFORMS", "")}
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
        env=variables,
    )
    try:
        output, _ = process.communicate(timeout=max(limit_s, 0.0))
        code = process.returncode
    except subprocess.TimeoutExpired:
        output = _interrupt(process)
    except KeyboardInterrupt:
        _interrupt(process)  # it has a group of its own, which Ctrl-C does not reach
        raise
    command_text = " ".join(Path(part).name if part.startswith("/") else part for part in command)
    seconds = round(time.monotonic() - start_s, 1)
    return EndedCommand(command_text, code, seconds, output.splitlines()[-LINES:])


def _interrupt(process: subprocess.Popen[str]) -> str:
    os.killpg(process.pid, signal.SIGINT)
    try:
        return process.communicate(timeout=GRACE_S)[0]
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        return process.communicate()[0]


def read_summary(path: Path) -> Summary | None:
    """The summary that an earlier call of a piece has written."""
    if not path.is_file():
        return None
    text = json.loads(path.read_text(encoding="utf-8"))
    return Summary(**{**text, "commands": [EndedCommand(**one) for one in text["commands"]]})


def write(path: Path, summary: Summary) -> None:
    """Replace an earlier summary atomically."""
    text = json.dumps(asdict(summary), indent=1, ensure_ascii=False) + "\n"
    new = path.with_suffix(".new")
    new.write_text(text, encoding="utf-8")
    new.replace(path)


def run_all(pieces: tuple[Piece, ...], out: Path, limit_s: float) -> dict[str, str]:
    """Run the unfinished pieces in order, as far as time permits; returns the state of each."""
    end_s, states = time.monotonic() + limit_s, dict[str, str]()
    for piece in pieces:
        summary = _run_until_finished(piece, out / f"{piece.name}.json", end_s)
        states[piece.name] = summary.state if summary else "not begun"
    return states


def _run_until_finished(piece: Piece, path: Path, end_s: float) -> Summary | None:
    """Call a piece until it is finished, fails, or there is no time for another call."""
    summary, state = read_summary(path), ""
    while summary is None or summary.state != DONE:
        limit_s = min(MOST_S, end_s - time.monotonic()) - GRACE_S
        if limit_s < piece.least_s or state == FAILED or (state and not piece.can_continue):
            break
        summary = run_piece(
            piece, limit_s, summary.seconds if summary and piece.can_continue else 0.0
        )
        state = summary.state
        write(path, summary)
        print(f"{piece.name:24}{state:12}{summary.seconds:8.1f} s", flush=True)
        if state == FAILED:
            print("\n".join(f"    {line}" for line in summary.commands[-1].lines[-6:]))
    return summary


def arguments() -> argparse.Namespace:
    """The arguments of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("gpu"))
    parser.add_argument("--time-limit", type=float, default=3600.0, metavar="SECONDS")
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--device", default="cuda", help="cuda or cuda:N")
    parser.add_argument("--only", nargs="*", metavar="NAME", help="pieces, by name")
    parser.add_argument("--small", action="store_true", help="in small, on a processor")
    parser.add_argument("--list", action="store_true", help="name the pieces and end")
    return parser.parse_args()


def show_gpu(name: str) -> None:
    """Make the GPU of a name the only one that any piece will see, as `cuda`.

    Raises:
        HarnessError: no piece could run on it; the message says why and what to do.
    """
    suite = registry.suite("standard")
    device, _ = choose_device(name, suite.hardware, "suite standard")
    if device == "cpu":
        raise HarnessError("--device cpu is not a GPU", "to try it on a CPU: --small")
    sizes = [registry.workload(one).at(suite.name) for one in list_gpu_workloads(suite.name)]
    ready_device(device, "torch", sizes, print)
    ready_device("cuda", "jax", sizes, lambda _: None)


def main() -> None:
    """Run the pieces and print what is left; exit code 1 if one has failed or is unfinished."""
    args = arguments()
    setting = Setting(args.out, args.data_dir)
    if args.small:
        setting = Setting(args.out, args.data_dir, "cpu", "quick", is_small=True)
    every = pieces(setting)
    names = [piece.name for piece in every]
    if unknown := sorted(set(args.only or ()) - set(names)):
        sys.exit(f"no such piece: {', '.join(unknown)}\n  known: {', '.join(names)}")
    selection = tuple(piece for piece in every if not args.only or piece.name in args.only)
    if args.list:
        print("\n".join(f"{piece.name:24}{piece.expected_s:6.0f} s" for piece in selection))
        return
    try:
        if not args.small:
            show_gpu(args.device)
        args.out.mkdir(parents=True, exist_ok=True)
        states = run_all(selection, args.out, args.time_limit)
    except HarnessError as error:
        sys.exit(f"error: {error.message}\n  {error.hint}")
    except KeyboardInterrupt:
        sys.exit("interrupted; the same command goes on")
    write_states(args.out / "summary.json", states)
    open_pieces = [name for name, state in states.items() if state != DONE]
    print(f"{len(states) - len(open_pieces)} of {len(states)} pieces are done, in {args.out}")
    if open_pieces:
        sys.exit(f"open: {', '.join(open_pieces)}\n  the same command goes on with them")


def write_states(path: Path, states: dict[str, str]) -> None:
    """How every piece stands, in one file."""
    path.write_text(json.dumps(states, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
