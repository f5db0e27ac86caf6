"""What is trained: models, losses, optimizers, schedules and data sets in plain NumPy.

Nothing here knows of the simulator. A training step is a pure NumPy function, so it is its own
reference: run it on arrays for the expected answer, or let the simulator record it.
"""
