"""The runtime plane: processes, files and sockets of one workload on one Linux host."""
