"""Puts the local AWS's rules in place of moto's."""

from . import (
    adoption,
    custom,
    engine,
    function,
    healthlake,
    identity,
    key,
    logs,
    monitoring,
    protection,
    scaling,
    secret,
    storage,
)


def install():
    """Call once, before the first request."""
    engine.install(
        [
            custom.CustomResource,
            function.Alias,
            function.Function,
            function.Permission,
            function.Version,
            healthlake.Datastore,
            identity.ManagedPolicy,
            identity.Role,
            key.Key,
            monitoring.Alarm,
            monitoring.Dashboard,
            monitoring.LogGroup,
            monitoring.MetricFilter,
            monitoring.QueryDefinition,
            monitoring.Subscription,
            monitoring.Topic,
            monitoring.TopicPolicy,
            scaling.ScalableTarget,
            scaling.ScalingPolicy,
            secret.ResourcePolicy,
            secret.Secret,
            storage.BucketPolicy,
        ]
    )
    adoption.install()
    logs.install()
    protection.install()
