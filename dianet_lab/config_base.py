"""What all configurations have in common: frozen, validated, and every refusal explained in one line a field."""

from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dianet_lab.errors import ConfigError, suggestion

Positive = Annotated[int, Field(ge=1)]


class Config(BaseModel):
    """A frozen model that refuses unknown keys and explains every refusal in one line a field."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    not_hashed: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, /, **values: Any):
        try:
            super().__init__(**values)
        except ValidationError as error:
            fields: dict[Any, list[Any]] = {}
            for detail in error.errors(include_url=False):
                fields.setdefault(detail["loc"][:1], []).append(detail)
            raise ConfigError("\n".join(_explain(type(self), details) for details in fields.values())) from None

    def asked(self) -> dict[str, Any]:
        """The fields that differ from their defaults, nested, as plain JSON values: what the run id hashes."""
        asked = {}
        for name, field in type(self).model_fields.items():
            value = getattr(self, name)
            if isinstance(value, Config):
                if nested := value.asked():
                    asked[name] = nested
            elif name not in self.not_hashed and value != field.get_default(call_default_factory=True):
                asked[name] = list(value) if isinstance(value, tuple) else value
        return asked


def _explain(model: type[BaseModel], details: list[Any]) -> str:
    """One line for the pydantic errors of a field: the value given, what is allowed and the closest valid name.

    There is more than one where a field may be of several kinds.
    """
    detail = details[0]
    name = ".".join(str(part) for part in detail["loc"][:1])
    where = f"{model.__name__}.{name}" if name else model.__name__
    if detail["type"] == "extra_forbidden":
        valid = list(model.model_fields)
        return f"{where}: unknown field{suggestion(name, valid)}; {model.__name__} has {', '.join(valid)}"
    kinds = [str(d.get("ctx", {}).get("expected", "")) or d["msg"].removeprefix("Input should be ") for d in details]
    allowed = " or ".join(dict.fromkeys(kinds))
    close = suggestion(detail["input"], allowed.replace("'", "").replace(" or ", ", ").split(", "))
    return f"{where}: got {detail['input']!r}{close}, expected {allowed}"
