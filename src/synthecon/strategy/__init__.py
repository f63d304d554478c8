"""From the money to a decision: value, risk, and what a board reads."""
