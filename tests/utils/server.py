"""A web server on this machine for the tests of downloads, with the faults of real ones."""
import contextlib
import http.server
import threading


class Site:
    """What the server serves, and how it misbehaves.

    files: {path: bytes}.
    cut: the next answers end after this many bytes, one entry each.
    codes: the next answers are these.
    ranges: it knows Range.
    sized: it tells the length.
    requests: the Range header of every request, or None.
    """

    def __init__(self, **files):
        self.files = {'/' + name: data for name, data in files.items()}
        self.cut, self.codes, self.requests = [], [], []
        self.ranges = self.sized = True
        self.url = ''


@contextlib.contextmanager
def serving(site):
    """Serves `site`, whose url is set, for the time of the block."""
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            _answer(self, site)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    site.url = f'http://127.0.0.1:{server.server_port}'
    thread = threading.Thread(target=server.serve_forever, kwargs={'poll_interval': 0.01})
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _answer(handler, site):
    wanted = handler.headers.get('Range')
    site.requests.append(wanted)
    if site.codes or handler.path not in site.files:
        handler.send_error(site.codes.pop(0) if site.codes else 404)
        return
    data, start = site.files[handler.path], 0
    if wanted and site.ranges:
        start = int(wanted.removeprefix('bytes=').removesuffix('-'))
        if start >= len(data):
            handler.send_response(416)
            handler.send_header('Content-Range', f'bytes */{len(data)}')
            handler.end_headers()
            return
        handler.send_response(206)
        handler.send_header('Content-Range', f'bytes {start}-{len(data) - 1}/{len(data)}')
    else:
        handler.send_response(200)
    if site.sized:
        handler.send_header('Content-Length', str(len(data) - start))
    handler.end_headers()
    handler.wfile.write(data[start:][:site.cut.pop(0) if site.cut else None])
