#!/usr/bin/env python3
"""Starts the local AWS on a loopback port. To standard output go the shell commands that point AWS's tools at it, first
its address: export AWS_ENDPOINT_URL=http://127.0.0.1:<port>

It ends on SIGTERM or SIGINT, and the functions that it runs end with it.
"""

import argparse
import os
import platform
import signal
import socket
import sys
import threading

MOTO = "5.2"
ACCOUNT, REGION = "123456789012", "us-east-1"
INSTALL = "install it with: python3 -m pip install -r local/aws/requirements.txt"


def main():
    parser = argparse.ArgumentParser(description="A local AWS for this project's deployment.")
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0 (default) for any free one")
    parser.add_argument(
        "--end-with-stdin", action="store_true", help="end, too, when standard input is closed: not to outlive a parent"
    )
    arguments = parser.parse_args()
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", arguments.port))
        listener.listen(128)
    except (OSError, OverflowError) as error:
        sys.exit(f"local AWS: port {arguments.port}: {error}; choose another: make local-aws PORT=4567")
    try:
        import moto
        from werkzeug.serving import WSGIRequestHandler, make_server

        import flask_cors  # noqa: F401  one of moto's optional dependencies: there only if moto[server] is installed
    except ImportError as error:
        sys.exit(f"local AWS: {error}; {INSTALL}")
    if not moto.__version__.startswith(MOTO + "."):
        sys.exit(f"local AWS: moto {moto.__version__} is installed, {MOTO} is needed; {INSTALL}")
    environment = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{listener.getsockname()[1]}",
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    }
    # Without these, moto itself would look things up in the user's account.
    os.environ.update(environment, MOTO_IAM_LOAD_MANAGED_POLICIES="true", MOTO_ACCOUNT_ID=ACCOUNT)
    os.environ.pop("AWS_PROFILE", None)
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

    import localaws
    from localaws import sandbox
    from localaws.api import Application

    localaws.install()
    sandbox.endpoint = environment["AWS_ENDPOINT_URL"]
    WSGIRequestHandler.log_request = lambda *_: None
    application = Application(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, application, threaded=True, fd=listener.fileno())
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _end)
    if arguments.end_with_stdin:
        threading.Thread(target=_end_with_stdin, daemon=True).start()
    print("\n".join(f"export {k}={v}" for k, v in environment.items()), flush=True)
    architecture = "arm64" if platform.machine() in ("aarch64", "arm64") else "x86_64"
    print(
        "The local AWS runs until Ctrl-C and forgets everything then. In another terminal, with the lines above:\n"
        f"  npx cdk bootstrap aws://{ACCOUNT}/{REGION}\n"
        f"  npx cdk deploy --all -c account={ACCOUNT} -c region={REGION} -c lambdaArchitecture={architecture}",
        file=sys.stderr,
        flush=True,
    )
    try:
        server.serve_forever()
    finally:
        sandbox.stop()


def _end(*_):
    for number in (signal.SIGTERM, signal.SIGINT):  # make sends one of its own
        signal.signal(number, signal.SIG_IGN)
    sys.exit()


def _end_with_stdin():
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
