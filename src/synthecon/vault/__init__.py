"""The vault: calculators, diagnoses, playbooks and a pipeline that runs itself inside a budget."""
