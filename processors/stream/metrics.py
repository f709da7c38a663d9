"""The engine's metrics, declared once; every worker of every stage has them."""

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

CATALOGUE: Sequence[tuple[str, str, Sequence[str], str]] = (
    ("switchhook_stream_records_total", "counter", ("topic",), "records handled"),
    ("switchhook_stream_batches_total", "counter", ("topic",), "batches handled"),
    ("switchhook_stream_retries_total", "counter", ("topic",), "batches tried again after store or broker failed"),
    ("switchhook_stream_batch_seconds", "histogram", ("topic",), "time in the handler, retries included"),
    ("switchhook_stream_lag_records", "gauge", ("topic", "partition"), "records behind the end of the partition"),
    (
        "switchhook_stream_oldest_seconds",
        "gauge",
        ("topic",),
        "age of the oldest record not done; 0 without lag",
    ),
    (
        "switchhook_stream_time_to_loss_seconds",
        "gauge",
        ("topic",),
        "retention less the age of the oldest record not done",
    ),
)


class StreamMetrics:
    """Made on the registry that is passed in; the fields are named after the catalogue's rows."""

    records: Counter
    batches: Counter
    retries: Counter
    batch_seconds: Histogram
    lag: Gauge
    oldest: Gauge
    time_to_loss: Gauge

    def __init__(self, registry: CollectorRegistry) -> None:
        made: list[Counter | Gauge | Histogram] = []
        kinds = {"counter": Counter, "gauge": Gauge, "histogram": Histogram}
        for name, kind, labels, meaning in CATALOGUE:
            made.append(kinds[kind](name.removesuffix("_total"), meaning, labels, registry=registry))
        (
            self.records, self.batches, self.retries, self.batch_seconds,
            self.lag, self.oldest, self.time_to_loss,
        ) = made  # type: ignore[assignment]  # fmt: skip
