"""`weir bench`: the engine side by side with stock transformers, in one run, on one machine.

What is measured lies in same_model.py (is it the same model?), feeding.py, long_run.py, decoding.py
and snapshot_costs.py (snapshots and forks); how, in interleaved.py. run.py is the whole story,
report.py what is printed of it. `--peers` is another story (peers/), and so is `--profile`
(dissect.py, anatomy.py).
Nothing here is a test: a slow machine is not a fault.
"""

from engine.bench.cli import add_arguments as add_arguments
from engine.bench.cli import main as main
from engine.bench.cli import measure as measure
