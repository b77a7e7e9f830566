# Everything from a fresh clone with Python 3.11 or later, gcc and make; packages come from the configured index.
PYTHON ?= python3
PLATFORM ?= linux
PIP = -m pip --disable-pip-version-check
VENV = .venv
CHECKED = .venv-checked
DOCS = .venv-docs
PROJECT = pyproject.toml setup.py
KERNELS = $(wildcard leoreturns/_core/*.pyx leoreturns/_core/*.pxd)
MAINS = $(patsubst benchmarks/%.py,%,$(shell grep -l __main__ benchmarks/*.py))
STUDIES = $(filter coverage%,$(MAINS))
BENCHMARKS = $(filter-out $(STUDIES),$(MAINS))
MODULES = $(wildcard leoreturns/*.py leoreturns/*/*.py)

.PHONY: demo test slow bench docs wheel wheelhouse checked lint clean

demo: $(VENV)/ready
	@$(VENV)/bin/python -m leoreturns demo

# Two workers, each with whole files of tests, whose fixtures are costly.
test: $(VENV)/ready
	@$(VENV)/bin/python -m pytest -m "not slow" -n 2 --dist loadfile

# The studies keep their results in out/studies, and go on from there if they were stopped.
slow: $(VENV)/ready
	@$(VENV)/bin/python -m pytest -m slow
	@mkdir -p out/studies
	@for name in $(STUDIES); do $(VENV)/bin/python -m benchmarks.$$name out/studies || exit 1; done

bench: $(VENV)/ready
	@for name in $(BENCHMARKS); do $(VENV)/bin/python -m benchmarks.$$name || exit 1; done

lint: $(VENV)/ready
	@$(VENV)/bin/python -m ruff check .
	@$(VENV)/bin/python -m mypy

docs: $(DOCS)/ready
	@$(DOCS)/bin/python -m sphinx -q -W --keep-going -b html docs docs/_build/html
	@echo "docs/_build/html/index.html"

# The sdist, and from it the wheel, as they would be published.
wheel: $(VENV)/ready
	@$(VENV)/bin/python tools/distribution.py --to dist

# Our wheel and every dependency's, for a machine without a package index: make wheelhouse PLATFORM=linux|windows
wheelhouse: $(VENV)/ready
ifeq ($(PLATFORM),windows)
	@$(VENV)/bin/python $(PIP) install -qq "ziglang>=0.13"
endif
	@$(VENV)/bin/python tools/wheelhouse.py --platform $(PLATFORM) --to wheelhouse/$(PLATFORM)

# The suite on kernels that verify every access. A safe path keeps the release kernels of this folder off sys.path.
checked: $(CHECKED)/ready
	@LEORETURNS_CHECKED=1 PYTHONSAFEPATH=1 $(CHECKED)/bin/python -m pytest -m "not slow" -n 2 --dist loadfile

# An edited kernel is built in place; an edited project is installed again.
$(VENV)/ready: $(PROJECT) $(KERNELS)
	@$(if $(filter $(PROJECT),$?),$(call install,$(VENV),test),$(VENV)/bin/python setup.py -q build_ext --inplace >/dev/null)
	@touch $@

$(DOCS)/ready: $(PROJECT) $(KERNELS)
	@$(call install,$(DOCS),docs)
	@touch $@

# Not editable: the folder holds the release kernels. Modules of an earlier build would stay in the wheel.
$(CHECKED)/ready: $(PROJECT) $(KERNELS) $(MODULES)
	@test -x $(CHECKED)/bin/python || $(PYTHON) -m venv $(CHECKED)
	@find build/checked -name "*.py" -delete 2>/dev/null || true
	@echo "setting up $(CHECKED)"
	@LEORETURNS_CHECKED=1 $(CHECKED)/bin/python $(PIP) install -qq ".[test]"
	@touch $@

define install
echo "setting up $(1)"; (test -x $(1)/bin/python || $(PYTHON) -m venv $(1)) && $(1)/bin/python $(PIP) install -qq -e ".[$(2)]"
endef

clean:
	rm -rf build dist out wheelhouse docs/_build docs/gallery docs/generated .venv .venv-checked .venv-docs *.egg-info
	rm -f leoreturns/_core/*.so leoreturns/_core/*.pyd
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
