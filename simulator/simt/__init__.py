"""The SIMT machine: a graph as GPU kernels, thread blocks on SMs in waves, memory and launches."""
