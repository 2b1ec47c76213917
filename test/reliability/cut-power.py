"""Cuts the power of a mounted ext4 for each line that it reads, after the milliseconds that the line says; answers each.

Node.js has no ioctl. EXT4_IOC_SHUTDOWN with NOLOGFLUSH stops all writes at once and leaves the journal as it is on the disk:
what was not synced is lost, as when the power goes. The end of its input ends it, too.
"""
import fcntl
import os
import sys
import time

EXT4_IOC_SHUTDOWN = 0x8004587D
NOLOGFLUSH = (2).to_bytes(4, sys.byteorder)

for line in sys.stdin:
    time.sleep(float(line) / 1000)
    mount = os.open(sys.argv[1], os.O_RDONLY)
    fcntl.ioctl(mount, EXT4_IOC_SHUTDOWN, NOLOGFLUSH)
    os.close(mount)
    print("cut", flush=True)
