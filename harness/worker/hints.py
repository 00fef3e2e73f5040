"""Hints for common mistakes in a first submission, by the errors that they raise."""

from __future__ import annotations

import re

PARAMETERS = "problem.parameters is a dictionary: pass problem.parameters.values()"
BATCHES = (
    "batches come from the stream that step gets: batch = stream.next(), or "
    "inputs, targets = next(stream); nothing else holds training data"
)
LOSS = (
    "a model gives logits: the loss is problem.loss.value(logits, targets), or "
    "problem.evaluate(problem.parameters, batch).loss"
)
NAMES = "hyperparameters has the names of space.toml, [default] and [space], and no others"
DICTIONARY = 'hyperparameters is a dictionary: hyperparameters["learning_rate"]'
HELD_OUT = "a submission sees no held-out data and no name of its workload"
CALL_FORM = "call it: problem.model.parameters()"
BUILD_FORM = "it is called as build(problem, hyperparameters)"
CLASS_FORM = "they are called as setup(problem, hyperparameters) and step(stream)"
EXITS = "a submission may not end its process: return, or raise what is wrong"
LOOKAHEAD = (
    "optax.lookahead needs parameters of its own kind; any optimizer takes lookahead_every and "
    "lookahead_alpha instead, by --set or in space.toml"
)

HINTS: tuple[tuple[str, str, str], ...] = (
    ("TypeError: .*one of the params is str", "", PARAMETERS),
    ("AttributeError: 'str' object has no attribute '(grad|shape|data)'", "", PARAMETERS),
    ("TypeError: .method. object is not iterable", "parameters", CALL_FORM),
    (r"TypeError: (\w+\.)*build\(\) (takes|missing)", "", BUILD_FORM),
    (r"TypeError: (\w+\.)*(setup|step)\(\) (takes|missing)", "", CLASS_FORM),
    (r"Problem' object has no attribute '\w*(valid|test|workload)", "", HELD_OUT),
    (r"Problem' object has no attribute '\w*(data|loader|stream)", "", BATCHES),
    (r"Stream' (object )?has no (attribute|len\(\))", "", BATCHES),
    ("grad can be implicitly created only for scalar outputs", "", LOSS),
    ("Gradient only defined for scalar-output functions", "", LOSS),
    ("KeyError", r"hyperparameters\[", NAMES),
    (
        "AttributeError: '(dict|ReadPoint)' object has no attribute",
        r"hyperparameters\.",
        DICTIONARY,
    ),
    ("^SystemExit", "", EXITS),
    ("'dict' object has no attribute '(fast|slow)'", "", LOOKAHEAD),
)
"""Patterns for the error and for the author's line, with a hint; the first match is used."""


def hint_of(error: str, line: str) -> str:
    """The hint for an error; empty if the error is clear or unknown.

    Args:
        error: the exception's type and message.
        line: the author's line that led to it.
    """
    return next(
        (
            hint
            for of_error, of_line, hint in HINTS
            if re.search(of_error, error) and re.search(of_line, line)
        ),
        "",
    )
