#!/usr/bin/env python3
"""Answers every request after so many milliseconds with ten usage rows; prints its port and ends with its parent.

GET /most gives the most requests that waited at once since it was asked for last.

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


waiting = most = 0


async def serve(reader, writer):
    global waiting, most
    try:
        while True:
            request = await reader.readuntil(b'\r\n\r\n')
            if request.startswith(b'GET /most '):
                writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n%5d' % most)
                most = 0
                continue
            waiting += 1
            most = max(most, waiting)
            await asyncio.sleep(int(sys.argv[1]) / 1000)
            waiting -= 1
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
