"""A local AWS: moto, made strict where this project's deployment depends on AWS being strict.

moto keeps the state and speaks the wire protocols. This package replaces how CloudFormation carries out a change set
(module engine), adds the resource types that moto lacks or is lax about (one module a service), and answers the few API
calls that moto does not know (module api). It relies on moto's internals; server.py says for which version.
"""
