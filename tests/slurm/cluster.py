"""A Slurm cluster of one node on this machine, with all of its files in one folder.

    python tests/slurm/cluster.py FOLDER

starts it and says which variable to set; it ends with Ctrl-C or SIGTERM. It needs Debian's
`slurm-wlm` and `munge`, and root. Neither the machine's own Slurm nor its munge is touched.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

START_S = 60.0
COMMANDS = ("munged", "slurmctld", "slurmd", "sbatch", "scontrol")
CONF = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket,cred_expire=6
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SlurmdParameters=config_overrides
SchedulerParameters=sched_interval=1,bf_interval=1,defer
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
ReturnToService=2
KillWait=5
MinJobAge=10
{settings}
NodeName=n1 NodeHostname={host} NodeAddr=127.0.0.1 CPUs=4 RealMemory=64000 State=UNKNOWN
PartitionName=main Nodes=n1 Default=YES MaxTime=60 State=UP PriorityTier=1
PartitionName=urgent Nodes=n1 MaxTime=60 State=UP PriorityTier=10
"""


class Cluster:
    """munged, slurmctld and slurmd, each a process of this one.

    Args:
        folder: gets everything.
        settings: more lines of slurm.conf.
    """

    def __init__(self, folder: Path, settings: Mapping[str, object] | None = None) -> None:
        self.folder = folder
        self._processes: list[subprocess.Popen[bytes]] = []
        for name in ("munge", "state", "spool"):
            (folder / name).mkdir(parents=True, mode=0o755)
        lines = "\n".join(f"{key}={value}" for key, value in (settings or {}).items())
        conf = CONF.format(
            host=socket.gethostname(),
            ports=_free_ports(2),
            user=os.environ.get("USER") or "root",
            folder=folder,
            settings=lines,
        )
        self.conf = folder / "slurm.conf"
        self.conf.write_text(conf)

    def start(self) -> None:
        """Start the three, and wait until the node takes jobs."""
        munge, key = self.folder / "munge", self.folder / "munge" / "key"
        key.write_bytes(secrets.token_bytes(128))
        key.chmod(0o400)
        places = [f"--{name}-file={munge / name}" for name in ("key", "pid", "log", "seed")]
        self._run("munged", "--foreground", "--force", f"--socket={munge / 'socket'}", *places)
        self._wait((munge / "socket").exists, "munged")
        self._run("slurmctld", "-D", "-f", str(self.conf), "-c")
        self._run("slurmd", "-D", "-f", str(self.conf), "-N", "n1")
        self._wait(lambda: "idle" in self.ask("sinfo", "-h", "-o", "%T"), "slurmctld")

    def stop(self) -> None:
        """End all jobs, then the three."""
        with suppress(subprocess.SubprocessError):
            self.ask("scancel", "--signal=KILL", "--state=RUNNING", "--user=root")
            self.ask("scancel", "--user=root")
            self._wait(lambda: not self.ask("squeue", "-h").strip(), "squeue")
        for process in reversed(self._processes):
            process.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                process.wait(10.0)
            process.kill()
            process.wait()

    def ask(self, *command: str) -> str:
        """What a command of Slurm prints."""
        environment = os.environ | {"SLURM_CONF": str(self.conf)}
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=60.0, check=False
        ).stdout

    def _run(self, command: str, *arguments: str) -> None:
        environment = os.environ | {"SLURM_CONF": str(self.conf)}
        output = (self.folder / f"{command}.out").open("wb")
        program = shutil.which(command, path=f"{os.environ['PATH']}:/usr/sbin:/sbin") or command
        with output:
            self._processes.append(
                subprocess.Popen(
                    [program, *arguments], env=environment, stdout=output, stderr=output
                )
            )

    def _wait(self, condition: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + START_S
        while not condition():
            if time.monotonic() > end:
                raise RuntimeError(f"{what} is not ready; see the logs in {self.folder}")
            time.sleep(0.2)


def missing_commands() -> list[str]:
    """Those of the commands that are not installed."""
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    return [command for command in COMMANDS if shutil.which(command, path=path) is None]


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [opened.getsockname()[1] for opened in sockets]
    for opened in sockets:
        opened.close()
    return ports


def main() -> None:
    """Run a cluster until Ctrl-C or SIGTERM."""
    for number in (signal.SIGINT, signal.SIGTERM):  # a shell lets what it starts aside ignore one
        signal.signal(number, signal.default_int_handler)
    cluster = Cluster(Path(sys.argv[1]).absolute())
    cluster.start()
    print(f"export SLURM_CONF={cluster.conf}", flush=True)
    try:
        signal.pause()
    except KeyboardInterrupt:
        cluster.stop()


if __name__ == "__main__":
    main()
