"""A simulated year of outreach: playbooks write, customers answer, and on no day may anything wrong leave."""
