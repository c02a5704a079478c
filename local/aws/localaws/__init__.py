"""A local AWS: moto, made strict where this project's deployment depends on AWS being strict.

moto keeps the state and speaks the wire protocols. This package replaces how CloudFormation carries out a change set
(module engine), holds properties against the registry's schemas (schema), adds the resource types that moto lacks or is
lax about, runs functions (sandbox), and answers the few API calls that moto does not know (api). It relies on moto's
internals; server.py says for which version.
"""


def install():
    """Puts these rules in place of moto's. Call once, before the first request."""
    from . import adoption, custom, engine, function, healthlake, identity, recorded, secret

    engine.install(
        [
            custom.CustomResource,
            function.Alias,
            function.Function,
            function.Permission,
            function.ScalableTarget,
            function.Version,
            healthlake.Datastore,
            identity.Key,
            identity.ManagedPolicy,
            identity.Role,
            *recorded.types(),
            recorded.LogGroup,
            secret.ResourcePolicy,
            secret.Secret,
        ]
    )
    adoption.install()
