"""Runs deployed functions on this machine as Lambda does: a process for each version, behind a Runtime API of its own.

Lambda developer guide, "Using the Lambda runtime API for custom runtimes" and "Defined runtime environment variables".
"""

import io
import json
import os
import queue
import shutil
import subprocess
import tempfile
import threading
import time
import uuid
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from moto.logs.models import logs_backends
from werkzeug.serving import DechunkedInput

from .resource import Refused

# Where functions find this AWS; the server sets it.
endpoint = ""

_INVOCATION = "/2018-06-01/runtime/invocation/"
_SECRETS = "AWS_ENDPOINT_URL_SECRETS_MANAGER"
_lock = threading.Lock()
_sandboxes = {}  # by the version's ARN


def invoke(function, payload):
    """Sends an event to a function of moto's and returns its answer, and whether that is an error."""
    content = function.code_sha_256, function.timeout, _environment(function)
    with _lock:
        sandbox = _sandboxes.get(function.function_arn)
        if sandbox is None or sandbox.content != content:
            if sandbox is not None:
                sandbox.stop()
            sandbox = _sandboxes[function.function_arn] = Sandbox(function, content)
    return sandbox.invoke(payload)


def tail(function):
    """The last 4 KB that the function has written since its last event arrived. What it writes takes a moment to come."""
    sandbox = _sandboxes[function.function_arn]
    patience = time.time() + 0.5
    while not sandbox.written and time.time() < patience:
        time.sleep(0.01)
    return "\n".join(sandbox.written).encode()[-4096:]


def stop():
    """Ends every process."""
    with _lock:
        for sandbox in _sandboxes.values():
            sandbox.stop()
        _sandboxes.clear()


class Sandbox:
    """One process of a function. It works on one event at a time, and is started again after its death."""

    def __init__(self, function, content):
        self.function, self.content = function, content
        self.directory = tempfile.mkdtemp(prefix="local-aws-")
        with zipfile.ZipFile(io.BytesIO(function.code_bytes)) as package:
            package.extractall(self.directory)
        self.bootstrap = os.path.join(self.directory, "bootstrap")
        self.process = None
        self.idle = threading.Lock()
        self.events, self.results = queue.Queue(), queue.Queue()
        self.current, self.written = "", []
        self.api = ThreadingHTTPServer(("127.0.0.1", 0), type("Api", (_RuntimeApi,), {"sandbox": self}))
        self.api.daemon_threads = True
        threading.Thread(target=self.api.serve_forever, daemon=True).start()

    def invoke(self, payload):
        timeout = int(self.function.timeout)
        with self.idle:
            if self.process is None or self.process.poll() is not None:
                self._start()
            self.current, self.written = str(uuid.uuid4()), []
            self.events.put((self.current, time.time() + timeout, payload))
            try:
                return self.results.get(timeout=timeout)
            except queue.Empty:
                self.process.kill()
                self.process.wait()
                return _failure("Sandbox.Timedout", f"Task timed out after {timeout}.00 seconds")

    def stop(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _start(self):
        self.events, self.results = queue.Queue(), queue.Queue()
        environment = {**_environment(self.function), "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self.api.server_port}"}
        environment.update(LAMBDA_TASK_ROOT=self.directory, PATH="/usr/local/bin:/usr/bin:/bin", TZ=":UTC")
        environment["_HANDLER"] = self.function.handler
        try:
            os.chmod(self.bootstrap, 0o755)
            self.process = subprocess.Popen(
                [self.bootstrap],
                cwd=self.directory,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
        except OSError as error:
            built = ", ".join(self.function.architectures)
            message = f"bootstrap, built for {built}, does not run on this machine: {error.strerror}"
            # Not one of the 5xx: SDKs would try again for seconds before they say why.
            raise Refused("ResourceConflictException", message, "409 Conflict") from error
        threading.Thread(target=self._watch, args=(self.process, self.results), daemon=True).start()

    def _watch(self, process, results):
        """Sends what the process writes to CloudWatch Logs, until its end."""
        for line in process.stdout:
            text = line.decode(errors="replace").rstrip("\n")
            self.written.append(text)
            _log(self.function, text)
        process.wait()
        results.put(_failure("Runtime.ExitError", f"Runtime exited with error: exit status {process.returncode}"))


class _RuntimeApi(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    sandbox = None

    def do_GET(self):
        identifier, deadline, payload = self.sandbox.events.get()
        self._answer(200, payload, identifier, int(deadline * 1000))

    def do_POST(self):
        body = self._body()
        kind = self.path.rsplit("/", 1)[-1]
        if self.path == f"{_INVOCATION}{self.sandbox.current}/{kind}" and kind in ("response", "error"):
            self.sandbox.results.put((body, kind == "error"))
            self._answer(202, b"{}")
        else:  # an answer after the deadline, or an error of the initialization, which ends the process anyway
            self._answer(400, b'{"errorType": "InvalidRequestID"}')

    def _body(self):
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":  # by AWS's library for Go
            return DechunkedInput(self.rfile).read()
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _answer(self, status, body, identifier="", deadline=0):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if identifier:
            self.send_header("Lambda-Runtime-Aws-Request-Id", identifier)
            self.send_header("Lambda-Runtime-Deadline-Ms", str(deadline))
            self.send_header("Lambda-Runtime-Invoked-Function-Arn", self.sandbox.function.function_arn)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def _environment(function):
    """What Lambda sets for every function, and the function's own variables. The credentials stand for its role's."""
    environment = {
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_REGION": function.region,
        "AWS_DEFAULT_REGION": function.region,
        "AWS_LAMBDA_FUNCTION_NAME": function.function_name,
        "AWS_LAMBDA_FUNCTION_VERSION": str(function.version),
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_size),
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": function.logs_group_name,
        "AWS_LAMBDA_LOG_STREAM_NAME": _stream(function),
        **function.environment_vars,
    }
    if environment.get(_SECRETS, "").endswith(".vpce.amazonaws.com"):  # of an endpoint that was deployed here
        environment[_SECRETS] = endpoint
    return environment


def _stream(function):
    return f"{time.strftime('%Y/%m/%d')}/[{function.version}]local"


def _log(function, line):
    """Without its log group, Lambda drops what a function writes."""
    logs = logs_backends[function.account_id][function.region]
    if (group := logs.groups.get(function.logs_group_name)) is None:
        return
    if (stream := _stream(function)) not in group.streams:
        logs.create_log_stream(group.name, stream)
    logs.put_log_events(group.name, stream, [{"timestamp": int(time.time() * 1000), "message": line}])


def _failure(kind, message):
    return json.dumps({"errorMessage": message, "errorType": kind}).encode(), True
