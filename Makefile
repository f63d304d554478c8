# Every target makes the environment first, if it has to. The same without make: see README.md.
PYTHON ?= python3
READY  := .venv/.ready
SYNTHECON := .venv/bin/python -m synthecon

help:  ## this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile | expand -t 10

run: $(READY)  ## run what changed, write records, build the site; CASE=folder: your company
	$(SYNTHECON) run $(if $(CASE),--case "$(CASE)")

test: $(READY)  ## the whole check: lint, unit tests, notebooks, site
	$(SYNTHECON) test

book: $(READY)  ## build and check the site from the committed notebooks and records
	$(SYNTHECON) book

board: $(READY)  ## write memo, press release, deck, dashboard and workbook; CASE=folder: yours
	$(SYNTHECON) board $(if $(CASE),"$(CASE)")

pipeline: $(READY)  ## search for a student inside a budget; CASE=folder: at its prices
	$(SYNTHECON) pipeline $(if $(CASE),--company "$(CASE)")

lab: $(READY)  ## open JupyterLab
	$(SYNTHECON) lab

refresh: $(READY)  ## make the last run the committed one
	$(SYNTHECON) refresh

bench: $(READY)  ## time the training engine and the cash model against textbook loops
	$(SYNTHECON) bench
	$(SYNTHECON) bench --finance

clean:  ## remove what the commands above made, the environment too
	rm -rf _build .venv

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo >&2 \
	  "Python 3.11 or newer is needed. Name one: make run PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --disable-pip-version-check --quiet --progress-bar on \
	  -r requirements.lock
	.venv/bin/python -m pip install --disable-pip-version-check --quiet --no-deps -e .
	@touch $@

.PHONY: help run test book board pipeline lab refresh bench clean
