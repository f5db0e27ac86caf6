"""GEMMs in SCALE-Sim 3, timed in its own process: JSON in, JSON out. Runs with the peers' Python.

In: {"rows", "cols", "dataflow", "gemms": [[m, k, n], ...]}. Out: cycles of each GEMM, seconds of the run
without imports, and the process's memory at its peak. Memories are as fast as needed: no cycle is waited.
"""

import contextlib
import io
import json
import sys
import tempfile
import time
from pathlib import Path

from memory import peak_mib
from scalesim.scale_sim import scalesim

CONFIG = """
[general]
run_name = run
[architecture_presets]
ArrayHeight: {rows}
ArrayWidth: {cols}
IfmapSramSzkB: 16384
FilterSramSzkB: 16384
OfmapSramSzkB: 16384
IfmapOffset: 0
FilterOffset: 100000000
OfmapOffset: 200000000
Bandwidth: 10
Dataflow: {dataflow}
MemoryBanks: 1
ReadRequestBuffer: 32
WriteRequestBuffer: 32
[layout]
IfmapCustomLayout: False
IfmapSRAMBankBandwidth: 10
IfmapSRAMBankNum: 10
IfmapSRAMBankPort: 2
FilterCustomLayout: False
FilterSRAMBankBandwidth: 10
FilterSRAMBankNum: 10
FilterSRAMBankPort: 2
[sparsity]
SparsitySupport: false
[run_presets]
InterfaceBandwidth: CALC
UseRamulatorTrace: False
"""


def main() -> None:
    job = json.load(sys.stdin)
    with tempfile.TemporaryDirectory() as folder:
        at = Path(folder)
        at.joinpath("array.cfg").write_text(CONFIG.format(**job))
        gemms = "".join(f"gemm{i}, {m}, {n}, {k},\n" for i, (m, k, n) in enumerate(job["gemms"]))
        at.joinpath("gemms.csv").write_text("Layer, M, N, K,\n" + gemms)
        layout = "".join(f"gemm{i}," + "1," * 20 + "\n" for i in range(len(job["gemms"])))
        at.joinpath("layout.csv").write_text("Layer," + "x," * 20 + "\n" + layout)
        elapsed, processor = time.perf_counter(), time.process_time()
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            files = (at / "array.cfg", at / "gemms.csv", at / "layout.csv")
            simulation = scalesim(True, False, *map(str, files), input_type_gemm=True)
            simulation.run_scale(top_path=str(at / "out"))
        elapsed, processor = time.perf_counter() - elapsed, time.process_time() - processor
        report = (at / "out" / "run" / "COMPUTE_REPORT.csv").read_text().splitlines()
    column = [name.strip() for name in report[0].split(",")].index("Total Cycles")
    cycles = [int(float(line.split(",")[column])) for line in report[1:]]
    found = {"cycles": cycles, "elapsed": elapsed, "processor": processor, "mib": peak_mib()}
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
