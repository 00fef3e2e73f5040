"""TensorBoard's HParams tab: a trial's hyperparameters and its outcome.

No experiment is declared, so that TensorBoard lists the hyperparameters and metrics of all runs
that it finds, of any submission.
"""

from __future__ import annotations

from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2

from harness.plan.trial import Result, Trial
from harness.record.sinks.scalars import SUCCESS_STATES


def start_of(trial: Trial, time_s: float) -> Summary:
    """The start of a session, with the point and other properties of the trial."""
    info = plugin_data_pb2.SessionStartInfo(group_name=trial.folder, start_time_secs=time_s)
    facts = {
        "submission": trial.submission.name,
        "framework": trial.framework,
        "workload": trial.workload,
        "study": trial.study,
        "trial": trial.trial,
    }
    for name, value in {**trial.point, **facts}.items():
        if isinstance(value, bool):
            info.hparams[name].bool_value = value
        elif isinstance(value, str):
            info.hparams[name].string_value = value
        else:
            info.hparams[name].number_value = value
    content = plugin_data_pb2.HParamsPluginData(session_start_info=info)
    return _summary(metadata.SESSION_START_INFO_TAG, content)


def end_of(result: Result, time_s: float) -> Summary:
    """The end of a session."""
    is_success = result.state in SUCCESS_STATES
    status = api_pb2.Status.Value("STATUS_SUCCESS" if is_success else "STATUS_FAILURE")
    info = plugin_data_pb2.SessionEndInfo(status=status, end_time_secs=time_s)
    content = plugin_data_pb2.HParamsPluginData(session_end_info=info)
    return _summary(metadata.SESSION_END_INFO_TAG, content)


def _summary(tag: str, content: plugin_data_pb2.HParamsPluginData) -> Summary:
    summary_metadata = metadata.create_summary_metadata(content)
    return Summary(value=[Summary.Value(tag=tag, metadata=summary_metadata)])
