"""A test case with the local AWS started as a process of its own, and AWS's own client for each service."""

import subprocess
import sys
import unittest
from pathlib import Path

import boto3
from botocore.config import Config

_SERVER = Path(__file__).with_name("server.py")


class Started(unittest.TestCase):
    """One server for the tests of a class: they share its state and use names of their own."""

    @classmethod
    def setUpClass(cls):
        cls.process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-B", str(_SERVER), "--end-with-stdin"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        cls.addClassCleanup(cls._stop)
        cls.url = cls.process.stdout.readline().strip().removeprefix("export AWS_ENDPOINT_URL=")

    @classmethod
    def _stop(cls):
        cls.process.terminate()
        cls.process.wait()
        cls.process.stdin.close()
        cls.process.stdout.close()

    @classmethod
    def client(cls, service):
        return boto3.client(
            service,
            region_name="us-east-1",
            endpoint_url=cls.url,
            aws_access_key_id="local",
            aws_secret_access_key="local",
            config=Config(retries={"total_max_attempts": 1}),
        )
