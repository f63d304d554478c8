"""The Vault: calculators, diagnosis, playbooks, and a pipeline that runs itself inside a budget."""
