"""How to request machines from a site's Slurm: the TOML file of `--profile`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from harness.execution.base import Resources
from workloads.spec import Count, Frozen, Positive

Word = Annotated[str, Field(pattern=r"^[^\s]+$")]


class SlurmProfile(Frozen):
    """Options of `sbatch`, besides those that follow from the trials."""

    partition: Word | None = None
    """None for the site's default."""
    account: Word | None = None
    qos: Word | None = None
    constraint: Word | None = None
    """Features that every node must have, for partitions with several kinds of machines."""
    gpu_type: Word | None = None
    """As `sinfo -o %G` shows it; None for any."""
    time_min: Count = 60
    """Minutes after which Slurm ends a task; the trial is queued again and resumes."""
    memory_gib: Positive | None = None
    """None for the worker's limit and 4 GiB."""
    setup: tuple[str, ...] = ()
    """Lines of shell before each task, such as `module load python`."""
    max_running: Count = 64
    """The most trials that run at once."""
    max_queued: Count = 1000
    """The most trials in the queue at once; the others follow as these end."""
    poll_s: Positive = 10.0
    """Seconds between two queries of the queue."""
    attempts: Count = 5
    """How often a trial is queued without progress before it is given up."""

    def parameters(self, need: Resources, name: str) -> dict[str, object]:
        """The options of each task for submitit.

        A timed trial on a CPU gets a whole node, because cores share memory bandwidth. A trial on a
        GPU gets that GPU and its cores exclusively.

        Args:
            need: the resources of one trial.
            name: the job's name.
        """
        request = self.request(need)
        return {
            # submitit takes `mem` for a number of GB, of which it writes a text of its own
            "additional_parameters": {"requeue": True, "mem": request.pop("mem")},
            "job_name": name,
            "setup": list(self.setup),
            "array_parallelism": self.max_running,
            "use_srun": False,
            "stderr_to_stdout": True,
            **request,
        }

    def request(self, need: Resources) -> dict[str, object]:
        """The options of one trial's job, under `sbatch`'s names."""
        parameters: dict[str, object] = {
            "partition": self.partition,
            "account": self.account,
            "qos": self.qos,
            "constraint": self.constraint,
            "time": self.time_min,
            "cpus_per_task": need.cores,
            "mem": f"{round((self.memory_gib or need.memory_gib) * 1024)}M",
        }
        if need.gpus:
            parameters["gres"] = f"gpu:{self.gpu_type}:1" if self.gpu_type else "gpu:1"
        elif need.is_timed:
            parameters["exclusive"] = True
        return {key: value for key, value in parameters.items() if value is not None}
