"""Wiring only: definitions, jobs, the command line. What a stage does lives on the floors below."""
