# Two commands: `make run` and `make test`. Everything else is for people who work on fastgw.
# Needs Python 3.11+ (with venv), make and gcc; all else goes into $(VENV).
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PY := $(BIN)/python
INSTALLED := $(VENV)/.installed
BUILT := $(VENV)/.built
SOURCES := $(shell find csrc fastgw -name '*.[ch]' -o -name '*.pyx' -o -name '*.pxd')
LISTEN ?= 127.0.0.1:8080
# The suite mostly waits, so its files run side by side (tests/lanes.py); LANES= runs them in one.
LANES ?= -n 3 --dist loadfile --no-loadscope-reorder

.PHONY: run test bench benches check gate ratios chaos kafka dist build clean
run: build
	$(BIN)/fastgw demo --listen $(LISTEN)
test: build
	@status=0; $(PY) -m pytest $(LANES) || status=1; $(PY) -m benchmarks.gate || status=1; \
	  exit $$status  # a failing test must not hide a failing gate
bench: build
	$(PY) -m benchmarks.tables
	$(PY) -m benchmarks.compare
benches: build
	$(PY) -m pytest benchmarks -o python_files='bench_*.py' --benchmark-columns=min,median,ops
gate: build
	$(PY) -m benchmarks.gate
ratios: build
	$(PY) -m benchmarks.compare --gate --rounds 5 --seconds 2 --only json,paced
check: build
	$(PY) tools/check.py $(CHECKS)
chaos: build
	$(PY) -m tools.killing
	$(PY) -m tools.storm
# A Kafka broker for tests/process/test_kafka.py: 45 MB from Maven Central; needs mvn and Java.
kafka:
	mvn -q -B -f tests/process/kafka.pom.xml dependency:copy-dependencies \
	  -DoutputDirectory=$(CURDIR)/build/kafka
build: $(BUILT)

# Dependencies and the `fastgw` command, without compiling: setup.py below does that once, in place.
$(INSTALLED): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and \
	  "fastgw needs Python 3.11 or newer: make PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(PY) -m pip -q --disable-pip-version-check install 'setuptools>=77.0.3' 'Cython>=3.3,<4' wheel
	FASTGW_METADATA_ONLY=1 $(PY) -m pip -q --disable-pip-version-check install \
	  --no-build-isolation -e '.[test]'
	touch $@
$(BUILT): $(INSTALLED) setup.py $(SOURCES)
	$(PY) setup.py -q build_clib build_ext --inplace
	touch $@

# The wheel is made from the sdist, in a place of its own, so that what is shipped is what builds.
dist: build
	rm -rf dist build/lib.* build/dist && mkdir -p dist
	$(PY) setup.py -q sdist
	$(PY) -m pip -q --disable-pip-version-check wheel --no-deps --no-build-isolation -w dist dist/*.tar.gz
	ls -l dist
clean:
	rm -rf build dist *.egg-info $(VENV)
	find fastgw -name '*.so' -delete
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
