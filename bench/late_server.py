#!/usr/bin/env python3
"""Answers every request after so many milliseconds with ten usage rows; prints its port and ends with its parent.

    late_server.py MS

One thread that waits for many connections at once: with 64 of them, the emulator's threads take turns for longer than
what is to be measured.
"""

import asyncio
import json
import os
import sys

BODY = json.dumps([{'ip': f'10.0.0.{i}', 'user': f'customer-{i}'} for i in range(10)]).encode()
ANSWER = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s' % (len(BODY), BODY)


async def serve(reader, writer):
    try:
        while True:
            await reader.readuntil(b'\r\n\r\n')
            await asyncio.sleep(int(sys.argv[1]) / 1000)
            writer.write(ANSWER)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def main():
    server = await asyncio.start_server(serve, '127.0.0.1', 0, backlog=256)
    print(server.sockets[0].getsockname()[1], flush=True)
    parent = os.getppid()
    while os.getppid() == parent:
        await asyncio.sleep(2)


asyncio.run(main())
