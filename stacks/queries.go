package stacks

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"healthlake-smart-on-fhir/internal/contract"
)

// addQueries saves the queries over the function's log.
func addQueries(scope constructs.Construct, props MonitoringProps) {
	names := props.Config.Names()
	for _, q := range contract.LogQueries {
		awslogs.NewCfnQueryDefinition(scope, jsii.String("Query"+q.ID), &awslogs.CfnQueryDefinitionProps{
			Name:          jsii.String(names.Function + "/" + q.Name),
			LogGroupNames: &[]any{props.LogGroup.LogGroupName()},
			QueryString:   jsii.String(q.Query),
		})
	}
}
