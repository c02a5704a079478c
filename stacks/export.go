package stacks

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"healthlake-smart-on-fhir/internal/config"
)

// exportDays is how long an export stays in its bucket. Files of exports by GET are there for 48 hours; a week leaves time to
// notice that a download has failed.
const exportDays = 7

// Export is where HealthLake writes bulk exports by POST: a bucket, the role that writes to it, and who read it. The bucket
// and its log outlive the stack, since CloudFormation cannot delete a bucket with files in it, and a function that empties
// it could delete records. Their lifecycle rules go on emptying them.
type Export struct {
	constructs.Construct
	DataAccessRole awsiam.IRole // a request for an export names it, so the service role must be allowed to pass it
}

// ExportProps are the properties of Export.
type ExportProps struct {
	Config       config.Config
	KeyARN       *string // the customer key; nil: the exports get one of their own, because HealthLake asks for a key
	DatastoreARN *string
}

// NewExport adds the bucket and the role.
func NewExport(scope constructs.Construct, id string, props ExportProps) Export {
	construct := constructs.NewConstruct(scope, jsii.String(id))
	var key awskms.IKey
	if props.KeyARN == nil {
		key = newExportKey(construct, props.Config)
	} else {
		key = awskms.Key_FromKeyArn(construct, jsii.String("GivenKey"), props.KeyARN)
	}

	accessLog := newBucket(construct, "AccessLog", props.Config.LogRetentionDays, &awss3.BucketProps{
		// Amazon S3 delivers access logs to a bucket with its own keys only (S3 User Guide, "Enabling server access logging").
		Encryption: awss3.BucketEncryption_S3_MANAGED,
	})
	bucket := newBucket(construct, "Bucket", exportDays, &awss3.BucketProps{
		Encryption:             awss3.BucketEncryption_KMS,
		EncryptionKey:          key,
		BucketKeyEnabled:       jsii.Bool(true), // one call to KMS for many files
		ServerAccessLogsBucket: accessLog,
	})
	role := newDataAccessRole(construct, props, bucket, key)

	output(scope, "ExportBucket", "Bucket of bulk exports by POST", bucket.BucketName())
	output(scope, "ExportRequestBody", "Body of a bulk export by POST: docs/bulk-export.md",
		jsii.String(`{"DataAccessRoleArn":"`+*role.RoleArn()+`","OutputDataConfig":{"S3Configuration":{"S3Uri":"s3://`+
			*bucket.BucketName()+`/exports","KmsKeyId":"`+*key.KeyArn()+`"}}}`))
	return Export{Construct: construct, DataAccessRole: role}
}

// newBucket adds a private bucket whose objects, and former versions of them, are each deleted after so many days.
func newBucket(scope constructs.Construct, id string, days int, props *awss3.BucketProps) awss3.Bucket {
	props.BlockPublicAccess = awss3.BlockPublicAccess_BLOCK_ALL()
	props.EnforceSSL = jsii.Bool(true)
	props.Versioned = jsii.Bool(true)
	props.RemovalPolicy = awscdk.RemovalPolicy_RETAIN
	props.LifecycleRules = &[]*awss3.LifecycleRule{{
		Expiration:                          awscdk.Duration_Days(jsii.Number(days)),
		NoncurrentVersionExpiration:         awscdk.Duration_Days(jsii.Number(exportDays)),
		AbortIncompleteMultipartUploadAfter: awscdk.Duration_Days(jsii.Number(1)),
	}}
	bucket := awss3.NewBucket(scope, jsii.String(id), props)
	bucket.Policy().ApplyRemovalPolicy(awscdk.RemovalPolicy_RETAIN) // a bucket that stays is still for TLS alone
	return bucket
}

// newExportKey adds a key for the bucket of a deployment whose other keys AWS owns. The account's IAM policies decide who
// uses it, and it stays as long as the bucket may hold a file.
func newExportKey(scope constructs.Construct, cfg config.Config) awskms.Key {
	return awskms.NewKey(scope, jsii.String("Key"), &awskms.KeyProps{
		Description:       jsii.String("Bulk exports of the HealthLake datastore " + cfg.Names().Datastore),
		EnableKeyRotation: jsii.Bool(true),
		RemovalPolicy:     awscdk.RemovalPolicy_RETAIN,
	})
}

// newDataAccessRole adds the role with which HealthLake writes to the bucket, and to no other: a request names its bucket
// itself. The rights are those of the HealthLake Developer Guide, "Setting up permissions for export jobs".
func newDataAccessRole(scope constructs.Construct, props ExportProps, bucket awss3.IBucket, key awskms.IKey) awsiam.Role {
	names := props.Config.Names()
	role := awsiam.NewRole(scope, jsii.String("DataAccessRole"), &awsiam.RoleProps{
		RoleName:    jsii.String(names.DataAccessRole),
		Description: jsii.String("HealthLake writes bulk exports of " + names.Datastore + " to their bucket as this role"),
		AssumedBy: awsiam.NewServicePrincipal(jsii.String("healthlake.amazonaws.com"), &awsiam.ServicePrincipalOpts{
			Conditions: &map[string]any{
				"StringEquals": map[string]any{"aws:SourceAccount": props.Config.Account},
				"ArnEquals":    map[string]any{"aws:SourceArn": props.DatastoreARN},
			},
		}),
	})
	awsiam.NewManagedPolicy(scope, jsii.String("DataAccess"), &awsiam.ManagedPolicyProps{
		Description: jsii.String("What HealthLake may do as " + names.DataAccessRole),
		Roles:       &[]awsiam.IRole{role},
		Statements: &[]awsiam.PolicyStatement{
			awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
				Actions:   jsii.Strings("s3:GetBucketPublicAccessBlock", "s3:GetEncryptionConfiguration", "s3:ListBucket"),
				Resources: &[]*string{bucket.BucketArn()},
			}),
			awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
				Actions:   jsii.Strings("s3:PutObject"),
				Resources: &[]*string{bucket.ArnForObjects(jsii.String("*"))},
			}),
			awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
				Actions:   jsii.Strings("kms:DescribeKey", "kms:GenerateDataKey*"),
				Resources: &[]*string{key.KeyArn()},
			}),
		},
	})
	return role
}

// passTo lets a principal hand role to one AWS service.
func passTo(service string, role awsiam.IRole) awsiam.PolicyStatement {
	return awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Actions:    jsii.Strings("iam:PassRole"),
		Resources:  &[]*string{role.RoleArn()},
		Conditions: &map[string]any{"StringEquals": map[string]any{"iam:PassedToService": service}},
	})
}
