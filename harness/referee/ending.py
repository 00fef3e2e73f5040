"""How a trial ends before its target or its budget does."""

from harness.trial import State


class TrialEndedError(Exception):
    """The trial ends here, in a state, for a reason."""

    def __init__(self, state: State, reason: str) -> None:
        super().__init__(reason)
        self.state = state
        self.reason = reason
