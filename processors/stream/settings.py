"""The engine's settings. Deadlines are settings, so that tests can shorten them."""

from pydantic import BaseModel, ConfigDict, Field


class StreamSettings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    batch_records: int = Field(default=1000, ge=1, le=10_000, description="records in a batch at most")
    fetch_wait_ms: int = Field(default=50, ge=1, description="how long an empty partition may hold a fetch")
    commit_interval: float = Field(default=0.5, gt=0, description="seconds between commits")
    retry_first: float = Field(default=0.2, gt=0, description="seconds before a failed batch is tried again")
    retry_most: float = Field(default=10.0, gt=0, description="seconds between tries at the most")
    stall_after: float = Field(default=60.0, gt=0, description="seconds with a batch in hand until a worker is stalled")
    host: str = "127.0.0.1"
    port: int = Field(default=0, ge=0, le=65535)
