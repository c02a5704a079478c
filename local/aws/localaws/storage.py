"""AWS::S3::BucketPolicy, which the CDK's bootstrap stack has."""

from moto.s3.models import s3_backends

from .resource import Resource, require


class BucketPolicy(Resource):
    """A policy that is checked but not enforced: moto enforces it without its conditions, and the bootstrap bucket's
    denial of requests without TLS would deny every request."""

    TYPE = "AWS::S3::BucketPolicy"
    REQUIRED = frozenset({"Bucket", "PolicyDocument"})
    CREATE_ONLY = frozenset({"Bucket"})

    def create(self):
        self.physical_resource_id = self.properties["Bucket"]
        s3_backends[self.account]["aws"].get_bucket(self.physical_resource_id)
        self.update(self.properties)

    def update(self, properties):
        require(properties["PolicyDocument"].get("Statement"), "PolicyDocument has no Statement")

    def remove(self):
        pass
