#!/usr/bin/env python3
"""Starts the local AWS on a loopback port and prints its address as the first line of output.

    server.py [--port PORT]         PORT 0 (default): any free one
              [--end-with-stdin]    end when standard input is closed, so as not to outlive the process that started it
    server.py --check               only say whether everything is installed that it needs

It ends on SIGTERM or SIGINT, and the functions that it runs end with it.
"""

import argparse
import os
import signal
import sys
import threading

MOTO = "5.2"


def main():
    parser = argparse.ArgumentParser(description="A local AWS for this project's deployment.")
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0 for any free one")
    parser.add_argument("--end-with-stdin", action="store_true", help="end when standard input is closed")
    parser.add_argument("--check", action="store_true", help="only check that what it needs is installed")
    arguments = parser.parse_args()
    try:
        import moto
        from werkzeug.serving import make_server

        import flask_cors  # noqa: F401  one of moto's optional dependencies: there only if moto[server] is installed
    except ImportError as error:
        sys.exit(f"local AWS: {error}; install it with: python3 -m pip install -r local/aws/requirements.txt")
    if not moto.__version__.startswith(MOTO + "."):
        sys.exit(
            f"local AWS: moto {moto.__version__} is installed, {MOTO} is needed;"
            " install it with: python3 -m pip install -r local/aws/requirements.txt"
        )
    if arguments.check:
        return
    # moto would sign and look up real things in the user's account without these.
    os.environ.update(AWS_ACCESS_KEY_ID="local", AWS_SECRET_ACCESS_KEY="local", AWS_DEFAULT_REGION="us-east-1")
    os.environ["MOTO_IAM_LOAD_MANAGED_POLICIES"] = "true"
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

    import localaws.install
    from localaws import sandbox
    from localaws.api import Application

    localaws.install.install()
    application = Application(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", arguments.port, application, threaded=True)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit())
    if arguments.end_with_stdin:
        threading.Thread(target=_end_with_stdin, daemon=True).start()
    sandbox.endpoint = f"http://127.0.0.1:{server.server_port}"
    print(sandbox.endpoint, flush=True)
    try:
        server.serve_forever()
    finally:
        sandbox.stop()


def _end_with_stdin():
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
