# DIANet Lab. Every target sets up what it needs and may be repeated.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

.PHONY: help report report-all test reliability lab bench clean

help:
	@echo "make report      set up, run notebooks 00 01 02 03 10 at 'quick' and write results/quick/index.html"
	@echo "make report-all  the same for every notebook"
	@echo "make test        set up and run the tests"
	@echo "make reliability kill, damage and crowd runs for about 20 minutes; writes results/reliability.md"
	@echo "make lab         set up and open JupyterLab"
	@echo "make bench       measure the input pipeline, the training step, the pool and the analyses"
	@echo "make clean       remove .venv, caches and smoke results (stored runs and reports stay)"

report: $(READY)
	@echo "Running notebooks 00 01 02 03 10 at the quick scale; the first report can be read after a minute."
	$(BIN)/dianet-lab report 00 01 02 03 10 --profile quick

report-all: $(READY)
	@echo "Running all notebooks at the quick scale."
	$(BIN)/dianet-lab report --profile quick

test: $(READY)
	@echo "Running the tests, two at a time, one torch thread each."
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist worksteal

reliability: $(READY)
	@echo "Killing, damaging and crowding runs; stop other work on this machine, or the times will be off."
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.reliability

lab: $(READY)
	@echo "Opening JupyterLab in notebooks/."
	$(BIN)/jupyter lab --notebook-dir=notebooks

bench: $(READY)
	@echo "Measuring; stop other work on this machine, or the figures will be off."
	$(BIN)/python benchmarks/input_pipeline.py $(if $(DATA),--data $(DATA))
	$(BIN)/python benchmarks/training_step.py
	$(BIN)/python benchmarks/pool.py
	$(BIN)/python benchmarks/analysis.py

# torch first and by its exact version, so that every pip finds the same build; the marker file is written last.
$(READY): pyproject.toml constraints.txt
	@echo "Setting up .venv (a few minutes the first time)."
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; name it with: make PYTHON=python3.11"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check `grep -E '^torch(vision)?==' constraints.txt`
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[test]'
	@touch $(READY)

clean:
	@echo "Removing .venv, caches and results/smoke."
	rm -rf .venv build dist *.egg-info .pytest_cache .hypothesis .ruff_cache results/smoke
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
