"""A headless Chromium, spoken to by its DevTools protocol over two pipes; the standard library is enough for that."""

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time

SECONDS = 60        # how long an answer may take on a busy machine


class Chromium:
    """One page of one browser; what it logged and what it asked for is in problems and requests."""

    FLAGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
             '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage', '--hide-scrollbars', '--remote-debugging-pipe']

    @staticmethod
    def program():
        return shutil.which('chromium') or shutil.which('chromium-browser') or shutil.which('google-chrome')

    def __init__(self):
        self.profile = tempfile.mkdtemp(prefix='sgip_chromium.')
        self.problems, self.requests, self.events = [], [], []
        self.count = 0
        self.buffer = b''
        ours_in, self.commands = os.pipe()
        self.answers, ours_out = os.pipe()

        def place():
            # the browser reads from 3 and writes to 4; first out of the way of these numbers
            high_in, high_out = os.dup(ours_in), os.dup(ours_out)
            while high_in < 5 or high_out < 5:
                high_in, high_out = os.dup(high_in), os.dup(high_out)
            os.dup2(high_in, 3)
            os.dup2(high_out, 4)
        self.log = open(os.path.join(self.profile, 'log'), 'w+')
        self.process = subprocess.Popen(
            [self.program(), *self.FLAGS, f'--user-data-dir={self.profile}/data', 'about:blank'],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, preexec_fn=place, close_fds=False,
            env=dict(os.environ, HOME=self.profile, XDG_CONFIG_HOME=self.profile, XDG_CACHE_HOME=self.profile))
        os.close(ours_in)
        os.close(ours_out)
        self.session = None
        target = [one for one in self.call('Target.getTargets')['targetInfos'] if one['type'] == 'page'][0]['targetId']
        self.session = self.call('Target.attachToTarget', targetId=target, flatten=True)['sessionId']
        for domain in ('Page', 'Runtime', 'Log', 'Network'):
            self.call(domain + '.enable')

    def close(self):
        self.process.terminate()
        self.process.wait(timeout=SECONDS)
        os.close(self.commands)
        os.close(self.answers)
        self.log.close()
        shutil.rmtree(self.profile, ignore_errors=True)

    # --- the protocol ------------------------------------------------------------

    def read(self):
        """The next message; an event is noted."""
        until = time.monotonic() + SECONDS
        while b'\0' not in self.buffer:
            ready, _, _ = select.select([self.answers], [], [], max(0, until - time.monotonic()))
            piece = os.read(self.answers, 1 << 20) if ready else b''
            if not piece:
                self.log.seek(0)
                raise RuntimeError('Chromium does not answer: ' + self.log.read()[-2000:])
            self.buffer += piece
        text, _, self.buffer = self.buffer.partition(b'\0')
        message = json.loads(text)
        method, details = message.get('method'), message.get('params', {})
        if method == 'Runtime.exceptionThrown':
            self.problems.append(json.dumps(details['exceptionDetails'])[:500])
        elif method == 'Runtime.consoleAPICalled' and details['type'] in ('error', 'warning', 'assert'):
            self.problems.append(json.dumps(details['args'])[:500])
        elif method == 'Log.entryAdded':
            self.problems.append(details['entry']['text'])
        elif method == 'Network.requestWillBeSent':
            self.requests.append(details['request']['url'])
        elif method == 'Page.javascriptDialogOpening':
            self.problems.append('dialog: ' + details['message'])
            self.send('Page.handleJavaScriptDialog', accept=True)
        if method:
            self.events.append(method)
        return message

    def send(self, method, **parameters):
        self.count += 1
        message = {'id': self.count, 'method': method, 'params': parameters}
        if self.session:
            message['sessionId'] = self.session
        data = json.dumps(message).encode() + b'\0'
        while data:
            data = data[os.write(self.commands, data):]
        return self.count

    def call(self, method, **parameters):
        number = self.send(method, **parameters)
        while True:
            message = self.read()
            if message.get('id') == number:
                if 'error' in message:
                    raise RuntimeError(f'{method}: {message["error"]}')
                return message['result']

    # --- a page ------------------------------------------------------------------

    def open(self, url):
        self.events.clear()
        self.call('Page.navigate', url=url)
        while 'Page.loadEventFired' not in self.events:
            self.read()

    def value(self, expression):
        """What an expression of JavaScript is, as data."""
        result = self.call('Runtime.evaluate', expression=expression, returnByValue=True, awaitPromise=True)
        if 'exceptionDetails' in result:
            raise RuntimeError(f'{expression}: {result["exceptionDetails"]}')
        return result['result'].get('value')

    def look(self, width, height=800, scheme='light', phone=False):
        """Another window, other colours; drawn anew when this returns."""
        self.call('Emulation.setDeviceMetricsOverride', width=width, height=height, deviceScaleFactor=2 if phone else 1, mobile=phone)
        self.call('Emulation.setEmulatedMedia', features=[{'name': 'prefers-color-scheme', 'value': scheme}])
        self.value('new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(1))))')

    def hover(self, x, y):
        self.call('Input.dispatchMouseEvent', type='mouseMoved', x=x, y=y)

    def screenshot(self, file, whole=True):
        file.write_bytes(base64.b64decode(self.call('Page.captureScreenshot', captureBeyondViewport=whole)['data']))

    def pdf(self, file):
        file.write_bytes(base64.b64decode(self.call('Page.printToPDF', preferCSSPageSize=True, printBackground=False)['data']))
