# Thin on purpose: every target is a command of the project's own, run in a virtual environment made from the lock.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: setup demo test kafka postgres sdks chaos proof bench-ingress bench-processors bench-actions bench-emulator lint types lock clean

setup: $(READY)
$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "switchhook needs Python 3.11 or newer: make PYTHON=python3.11 …"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@touch $@

# STAY=1 keeps it running and prints the URLs.
demo: $(READY)
	$(BIN)/python -m deploy.dev $(if $(STAY),--stay)

test: $(READY)
	$(BIN)/python -m pytest -m "not chaos and not long"

# On Apache Kafka, one node; needs Java 17 and, the first time, Maven.
kafka: $(READY)
	$(BIN)/python -m pytest -m "broker or kafka" --broker=kafka

# On a PostgreSQL cluster of its own; needs PostgreSQL 15 or newer.
postgres: $(READY)
	$(BIN)/python -m pytest -m "postgres and not chaos and not long" --postgres

# The official Node and Go SDKs on the emulator; needs Node 18.19 and Go 1.19, or newer.
sdks: $(READY)
	npm ci --prefix tests/deploy/sdks/node --omit=optional --silent
	cd tests/deploy/sdks/go && go mod download
	$(BIN)/python -m pytest -m sdks --sdks

chaos: $(READY)
	$(BIN)/python -m pytest -m "chaos or long" -rA --show-capture=stdout

# The full counts: thousands of seeded worlds, and chaos under the whole demo's traffic.
proof: $(READY)
	$(BIN)/python -m pytest --proof tests/pipeline -q
	$(BIN)/python -m pytest --proof tests/ingest/test_fuzz.py -q -rA --show-capture=stdout
	$(BIN)/python -m pytest --proof -m chaos -rA --show-capture=stdout

# The front door beside what people write today; needs Java, Maven, Go and Node. Nine minutes.
bench-ingress: $(READY)
	$(BIN)/python -m bench.ingress

# The brain beside Kafka Streams, Quix Streams and stock Faust; needs Java, Maven and PostgreSQL. With ARGS=--growth: what
# it costs with few and with many resources known.
bench-processors: $(READY)
	$(BIN)/python -m bench.processors $(ARGS)

# The hands beside the bare official SDK, on a provider that answers at once; needs Java, Maven and PostgreSQL.
bench-actions: $(READY)
	$(BIN)/python -m bench.actions $(ARGS)

# A day of traffic in the emulator's virtual time, on one core.
bench-emulator: $(READY)
	$(BIN)/python -m bench.emulator

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy

lock:
	uv pip compile --universal --python-version 3.11 --extra dev --generate-hashes --no-emit-index-url --no-emit-find-links --no-header pyproject.toml -o requirements.lock

clean:
	rm -rf $(VENV) .run .pytest_cache .mypy_cache .ruff_cache tests/deploy/sdks/node/node_modules
