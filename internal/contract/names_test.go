package contract_test

import (
	"testing"

	"healthlake-smart-on-fhir/internal/contract"
)

func TestPartitions(t *testing.T) {
	for region, want := range map[string]string{
		"eu-west-2": "arn:aws:iam::1:role/p-Role-for-HealthLake", "us-gov-west-1": "arn:aws-us-gov:iam::1:role/p-Role-for-HealthLake",
		"cn-north-1": "arn:aws-cn:iam::1:role/p-Role-for-HealthLake", "mars-north-1": "arn:aws:iam::1:role/p-Role-for-HealthLake",
		"us-east-1": "arn:aws:iam::1:role/p-Role-for-HealthLake",
	} {
		if got := contract.NamesOf("p-", "", "1", region).RoleARN(contract.ServiceRoles[0]); got != want {
			t.Errorf("%s: got %s", region, got)
		}
	}
}
