# Two commands: `make run` and `make test`. Everything else is for people who work on fastgw.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.built
SOURCES := setup.py pyproject.toml $(wildcard csrc/*.[ch]) $(shell find fastgw -name '*.pyx' -o -name '*.pxd')

.PHONY: run test bench check build clean
build: $(STAMP)
$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip -q install --upgrade pip 'setuptools>=77.0.3' 'Cython>=3.3,<4' wheel
$(STAMP): $(VENV)/bin/python $(SOURCES)
	$(BIN)/pip -q install --no-build-isolation -e '.[test]'
	touch $@
test: build
	$(BIN)/python -m pytest
clean:
	rm -rf build dist *.egg-info $(VENV) && find fastgw -name '*.so' -delete
