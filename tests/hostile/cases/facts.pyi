# What a test writes down for the submission that it runs, in a `facts.py` beside it.
REFEREE: int
PORT: int
TRAIN: str
ELSEWHERE: str
SLEEP_S: str
BACKEND: tuple[str, str]
DEVICE: str
IS_HONEST: bool
KNOWN: tuple[str, int, str]
