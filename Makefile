# make demo     set up and run the main job: release, grade a class in sandboxes, feedback, class report
# make test     set up and run the tests
# make attacks  set up and run only the hostile submissions
# make setup    only set up
PYTHON ?= python3
VENV   ?= .venv
EXTRAS ?= grader,dev
BIN    := $(VENV)/bin

.PHONY: setup demo test attacks coverage mutants sanitize lint format constraints clean
.DEFAULT_GOAL := help

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile

setup: $(VENV)/.installed-$(EXTRAS)
	@sh tools/install_bubblewrap.sh

$(VENV)/.installed-$(EXTRAS): pyproject.toml setup.py constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("handgrad needs Python 3.11 or newer, and $(PYTHON) is " + sys.version.split()[0] + ". Name one: make PYTHON=python3.12" if sys.version_info < (3, 11) else 0)'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing handgrad[$(EXTRAS)] into $(VENV); the first time takes some minutes ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[$(EXTRAS)]'
	@$(BIN)/python -m handgrad.fast_layers
	@touch $@

demo: setup
	@$(BIN)/python -m autograder.demo

# The tests compare with PyTorch; `make test EXTRAS=grader,dev` runs without it and skips those.
test: EXTRAS := grader,dev,torch
# One core each: the files run side by side.
PYTEST := OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest
# The longest file is among the notebooks' tests: no core waits for it at the end.
TESTS := tests/notebooks tests/autograder tests/handgrad tests/test_*.py
test:
	@$(MAKE) --no-print-directory setup EXTRAS=$(EXTRAS)
	$(PYTEST) -n auto --dist loadfile --max-worker-restart 0 --no-loadscope-reorder $(TESTS)
	$(PYTEST) tests/attacks

# The corpus is graded as one class, which takes all cores by itself.
attacks: setup
	$(PYTEST) tests/attacks

# How much of the package the tests run, and how many machine-made mistakes in the layers they notice.
coverage:
	$(BIN)/coverage run -m pytest tests/handgrad
	$(BIN)/coverage report

mutants:
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt mutmut
	OPENBLAS_NUM_THREADS=1 $(BIN)/mutmut run > build/mutants.log
	$(BIN)/mutmut results

# The tests of the fast layers with kernels that watch every access to memory and every undefined operation.
SANITIZE := build/sanitize
sanitize: setup
	@rm -rf $(SANITIZE) && mkdir -p $(SANITIZE)
	@cp -r handgrad $(SANITIZE)/ && rm -f $(SANITIZE)/handgrad/fast_layers/*.so
	@cp tests/handgrad/test_fast_layers.py tests/conftest.py $(SANITIZE)/
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt cython setuptools
	cd $(SANITIZE) && CFLAGS="-g -fsanitize=address,undefined -fno-sanitize-recover=undefined" \
		$(abspath $(BIN))/python -m handgrad.fast_layers.build
	cd $(SANITIZE) && for isa in plain avx2 avx512; do HANDGRAD_ISA=$$isa ASAN_OPTIONS=detect_leaks=0 \
		LD_PRELOAD="$$(gcc -print-file-name=libasan.so) $$(gcc -print-file-name=libubsan.so)" \
		$(abspath $(BIN))/python -m pytest -q --rootdir . -p no:cacheprovider -k compiled test_fast_layers.py || exit 1; done

lint:
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

format:
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/python tools/canonical_notebooks.py

clean:
	rm -rf build dist *.egg-info $(VENV)
