"""What the server's responses look like, for its OpenAPI document."""

from __future__ import annotations

from pydantic import BaseModel, Field


class Answered(BaseModel):
    """The answer for one picture."""

    label: str = Field(description="The most probable class.")
    confidence: float = Field(description="Its probability.")
    probabilities: dict[str, float] = Field(description="The probability of every class, in the model's order.")
    named: list[str] = Field(description="The classes that the true one is among as often as the run promises.")
    unsure: bool = Field(description="Whether it is too uncertain for the share of mistakes that the run allows.")
    unlike: bool | None = Field(description="Whether it is unlike all training pictures; null where that is not known.")
    model: str = Field(description="The name of the run folder.")
    model_id: str = Field(description="Tells this model from another under the same name.")
    milliseconds: float = Field(description="From the whole picture's arrival to its answer.")


class Alike(BaseModel):
    """A training picture that is like another."""

    label: str
    likeness: float = Field(description="The cosine of the two pictures' features.")
    picture: str = Field(description="A small copy as a data URL; empty where the file is gone or changed.")


class Explained(BaseModel):
    """Why a picture got its answer."""

    heat: str = Field(description="Where the network looked, as a data URL; empty where it has no places.")
    alike: list[Alike] = Field(description="The training pictures most like it, the most alike first.")
    alike_note: str = Field(description="Why there are none.")


class Corrected(BaseModel):
    """A picture that was kept."""

    label: str
    saved: str = Field(description="Its name in the folder of corrections.")
    corrections: int = Field(description="Pictures in the folder now.")


class Told(BaseModel):
    """The model that answers."""

    model: str
    model_id: str
    classes: list[str]
    accuracy: float | None = Field(description="On the run's test pictures.")
    interval: list[float] | None
    n_test: int | None
    corrections: int
    corrections_folder: str
    max_mb: float


class Health(BaseModel):
    """Whether the server is well."""

    status: str
    model_id: str
    reload_failed: bool = Field(description="Whether the last reload failed; the old model goes on.")


class Reloaded(BaseModel):
    """The model that answers after a reload."""

    model: str
    model_id: str


class Refusal(BaseModel):
    """Why there is no answer."""

    error: str
