"""The base of all values that a record holds, and the types of JSON."""

from __future__ import annotations

from typing import Annotated

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    SerializerFunctionWrapHandler,
    model_serializer,
)

JsonObject = dict[str, JsonValue]
Number = Annotated[float, Field(allow_inf_nan=False)]
Seconds = Annotated[float, Field(allow_inf_nan=False)]
Whole = Annotated[int, Field(ge=-(2**53), le=2**53)]
"""An integer that a float holds exactly; a longer one would end every command that computes."""


class Recorded(BaseModel):
    """A frozen value of a record; unknown keys are refused.

    A field without a default is always written, None as null. A field whose default is None is
    written only if it was set: its key may be missing.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")

    def as_json(self) -> JsonObject:
        """The JSON object that is written."""
        return self.model_dump(mode="json")

    @model_serializer(mode="wrap")
    def _without_unset(self, serialise: SerializerFunctionWrapHandler) -> dict[str, object]:
        document: dict[str, object] = serialise(self)
        for name, field in type(self).model_fields.items():
            may_be_missing = not field.is_required() and field.default is None
            if may_be_missing and name not in self.model_fields_set:
                document.pop(name, None)
        return document
