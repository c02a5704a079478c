"""Runs AWS command lines in one process, since to start the AWS command line takes most of the time.

Each line of the input is JSON: the directory to be in, and the arguments. Each line of the output is what that command said.
"""
import contextlib
import io
import json
import os
import sys

from awscli.clidriver import create_clidriver

driver = create_clidriver()
for line in sys.stdin:
    directory, arguments = json.loads(line)
    os.chdir(directory)
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said), contextlib.suppress(SystemExit):
        driver.main(arguments)
    print(json.dumps(said.getvalue()), flush=True)
