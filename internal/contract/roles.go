package contract

import "healthlake-smart-on-fhir/internal/scopes"

// ServiceRole is a role that HealthLake assumes to carry out a request. The token's scopes decide which: HealthLake may keep
// a response, so the role must not depend on the request.
type ServiceRole struct {
	Name   string // what follows the prefix
	Access scopes.Access
	field  func(*Document) *string // where its ARN is in the secret
}

// ServiceRoles has one row for each role. Those with Export exist only where the deployment allows bulk exports.
var ServiceRoles = []ServiceRole{
	{"Role-for-HealthLake", scopes.Access{Write: true}, func(d *Document) *string { return &d.HLRoleARN }},
	{"Role-for-HealthLake-Read", scopes.Access{}, func(d *Document) *string { return &d.HLRoleARNRead }},
	{"Role-for-HealthLake-Export", scopes.Access{Write: true, Export: true}, func(d *Document) *string { return &d.HLRoleARNExport }},
	{"Role-for-HealthLake-Read-Export", scopes.Access{Export: true}, func(d *Document) *string { return &d.HLRoleARNReadExport }},
}

// RoleARN returns the ARN of the role for a token's access. A deployment without bulk export has no export roles, and a
// document that was written before there was a read role has none: then the role with the next higher rights serves.
func (d Document) RoleARN(access scopes.Access) string {
	for _, a := range []scopes.Access{access, {Write: access.Write}} {
		for _, role := range ServiceRoles {
			if arn := *role.field(&d); role.Access == a && arn != "" {
				return arn
			}
		}
	}
	return d.HLRoleARN
}
