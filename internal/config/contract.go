package config

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"healthlake-smart-on-fhir/internal/clientauth"
	"healthlake-smart-on-fhir/internal/contract"
)

// Names returns the names of the deployment's resources.
func (c Config) Names() contract.Names {
	return contract.NamesOf(c.Prefix, c.DatastoreName, c.Account, c.Region)
}

// ServiceRoles returns the roles that this deployment has for HealthLake.
func (c Config) ServiceRoles() []contract.ServiceRole {
	return slices.DeleteFunc(slices.Clone(contract.ServiceRoles), func(r contract.ServiceRole) bool {
		return r.Access.Export && !c.exports()
	})
}

// exports tells whether bulk exports are allowed at all.
func (c Config) exports() bool { return c.BulkExport != BulkExportOff }

// InVPC tells whether the function is connected to a VPC.
func (c Config) InVPC() bool { return len(c.VPCSubnets) > 0 }

// Environment returns what the deployment fixes for the checkToken function. The secret's id and the authorities' file are
// the caller's to add.
func (c Config) Environment() contract.Environment {
	e := contract.Environment{
		TokenValidation:   c.TokenValidation,
		IntrospectionAuth: string(c.IntrospectionAuth),
		RequiredAudience:  c.RequiredAudience,
		RequiredScope:     c.RequiredScope,
		TrustedIssuers:    c.TrustedIssuers,
		ClaimNames:        c.ClaimNames,
		MoreIssuers:       c.MoreIssuers,

		AuditClaims:             c.AuditClaims,
		SenderConstrainedTokens: c.SenderConstrainedTokens,
		MaxTokenLifetime:        time.Duration(c.MaxTokenLifetimeSeconds) * time.Second,
		IntrospectionCache:      time.Duration(c.IntrospectionCacheSeconds) * time.Second,
	}
	if c.TokenValidation == contract.TokenValidationJWT {
		e.AuthIssuer, e.AuthEndpointJwks = c.AuthIssuer, c.AuthEndpointJwks
	} else {
		if c.IntrospectionAuth == clientauth.PrivateKeyJWT {
			e.ClientAssertionAudience = cmp.Or(c.ClientAssertionAudience, c.AuthIssuer)
		}
		e.IntrospectionOrigin = contract.Origin(c.AuthEndpointIntrospect)
	}
	return e
}

// Document returns the secret's document. The credentials are as the context has them; CloudFormation or the caller may
// know others.
func (c Config) Document() contract.Document {
	names := c.Names()
	document := contract.Document{
		ClientID:               c.ClientID,
		ClientSecret:           c.ClientSecret,
		AuthEndpoint:           c.AuthEndpoint,
		AuthEndpointToken:      c.AuthEndpointToken,
		AuthEndpointIntrospect: c.AuthEndpointIntrospect,
		APIKey:                 c.SrvAPIKey,
		HLDatastoreName:        names.Datastore,
		LambdaEnhancedLogging:  contract.Flag(c.LambdaEnhancedLogging),
	}
	document.SetRoles(names, c.ServiceRoles())
	return document
}

// DatastoreProperties returns the settings that the datastore should have. Its id, and what it was created with, are the
// caller's to add.
func (c Config) DatastoreProperties() contract.DatastoreProperties {
	names := c.Names()
	return contract.DatastoreProperties{
		DatastoreName:                   names.Datastore,
		AuthorizationStrategy:           c.AuthorizationStrategy,
		FineGrainedAuthorizationEnabled: strconv.FormatBool(c.FineGrainedAuthorization),
		IdpLambdaArn:                    names.AliasARN,
		Metadata:                        c.Discovery(),
	}
}
