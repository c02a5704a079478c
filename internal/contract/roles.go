package contract

import "healthlake-smart-on-fhir/internal/scopes"

// ServiceRole is a role that HealthLake assumes to carry out a request. The token's scopes decide which: HealthLake may keep
// a response, so the role must not depend on the request.
type ServiceRole struct {
	ID     string // construct id; it becomes the logical id, so it must not change
	Name   string // what follows the prefix
	Access scopes.Access
	Serves string                  // which tokens, for people
	field  func(*Document) *string // where its ARN is in the secret
}

// ServiceRoles has one row for each role. Those with Export exist only where the deployment allows bulk exports.
var ServiceRoles = []ServiceRole{
	{"HealthLakeRole", "Role-for-HealthLake", scopes.Access{Write: true},
		"tokens with a scope that writes", func(d *Document) *string { return &d.HLRoleARN }},
	{"HealthLakeRoleRead", "Role-for-HealthLake-Read", scopes.Access{},
		"tokens without a scope that writes", func(d *Document) *string { return &d.HLRoleARNRead }},
	{"HealthLakeRoleExport", "Role-for-HealthLake-Export", scopes.Access{Write: true, Export: true},
		"backend services with a scope that writes", func(d *Document) *string { return &d.HLRoleARNExport }},
	{"HealthLakeRoleReadExport", "Role-for-HealthLake-Read-Export", scopes.Access{Export: true},
		"backend services without a scope that writes", func(d *Document) *string { return &d.HLRoleARNReadExport }},
}

// SetRoles puts the ARNs of roles into the document.
func (d *Document) SetRoles(names Names, roles []ServiceRole) {
	for _, role := range roles {
		*role.field(d) = names.RoleARN(role)
	}
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
