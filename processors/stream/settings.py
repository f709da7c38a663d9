"""The engine's settings. Deadlines are settings, so that tests can shorten them."""

from pydantic import BaseModel, ConfigDict, Field


class StreamSettings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    batch_records: int = Field(default=1000, ge=1, le=10_000, description="records in a batch at most")
    held_records: int = Field(
        default=10_000, ge=1, description="records in memory at most, besides one batch of each partition"
    )
    concurrency: int = Field(default=4, ge=1, le=64, description="batches worked on at a time, each of a partition")
    fetch_bytes: int = Field(
        default=2 * 2**20, ge=1024, description="bytes asked of a partition at a time; as much again may wait undecoded"
    )
    fetch_wait_ms: int = Field(default=50, ge=1, description="how long an empty partition may hold a fetch")
    commit_interval: float = Field(default=0.5, gt=0, description="seconds between commits")
    retry_first: float = Field(default=0.2, gt=0, description="seconds before a failed batch is tried again")
    retry_most: float = Field(default=10.0, gt=0, description="seconds between tries at the most")
    stop_grace: float = Field(default=5.0, ge=0, description="seconds that a stop gives to batches in hand")
    stall_after: float = Field(
        default=60.0, gt=0, description="seconds behind the end of a partition without advancing until it is stalled"
    )
    dead_letter_ratio: float = Field(
        default=0.5, ge=0, le=1, description="share of unreadable records above which the worker stops; 0: never"
    )
    dead_letter_window: int = Field(default=200, ge=1, description="records over which that share is taken, at least")
    dead_letter_run: int = Field(
        default=500, ge=0, description="unreadable records in a row at which the worker stops; 0: never"
    )
    dead_letter_seconds: float = Field(default=600.0, gt=0, description="age at which both forget a record")
    host: str = "127.0.0.1"
    port: int = Field(default=0, ge=0, le=65535)
