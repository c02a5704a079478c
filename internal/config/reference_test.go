package config

import (
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
)

var update = flag.Bool("update", false, "write docs/reference/configuration.md")

const referencePage = "../../docs/reference/configuration.md"

func TestReferenceIsCurrent(t *testing.T) {
	if *update {
		if err := os.MkdirAll(filepath.Dir(referencePage), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(referencePage, []byte(Reference()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	page, err := os.ReadFile(referencePage)
	if err != nil {
		t.Fatal(err)
	}
	if string(page) != Reference() {
		t.Errorf("%s is stale; run make reference", referencePage)
	}
}

// No row lacks its documentation, and no field its row.
func TestEveryRowIsComplete(t *testing.T) {
	for _, k := range keys {
		if k.name == "" || k.doc == "" || k.byDefault.words == "" || k.value.want == "" {
			t.Errorf("incomplete row: %+v", k)
		}
	}
	if fields := reflect.TypeFor[Config]().NumField(); fields != len(keys) {
		t.Errorf("%d fields in Config, %d keys", fields, len(keys))
	}
}

// The keys marked as replacing the datastore are those that reach a property that HealthLake sets only when it creates one.
// Account, region and prefix make stacks of their own.
func TestReplaces(t *testing.T) {
	properties := func(c Config) []any { return []any{c.PreloadData, c.PreloadDataType, c.KMSKey} }
	before := properties(accepts(t, nil))
	another := map[string]any{
		"env": "dev", "account": "000000000000", "region": "eu-west-2", "tagName": "Other", "tagValue": "other",
		"secretName": "OTHER", "secretAdmins": "arn:aws:iam::210987654321:role/Admin",

		"tokenValidation": "jwt", "clientId": "other", "clientSecret": "{{resolve:secretsmanager:other}}",
		"authEndpoint": "https://other.example", "authEndpointToken": "https://other.example/token",
		"authEndpointIntrospect": "https://other.example/introspect", "srvAPIKey": "{{resolve:secretsmanager:other}}",
		"introspectionAuth": "none", "authCaBundle": "ca.pem", "clientAssertionAudience": "https://other.example", "claimNames": `{"patient": "p"}`,
		"authEndpointAuthorize": "https://other.example/auth", "authIssuer": "https://other.example",
		"authEndpointJwks": "https://other.example/keys", "authEndpointRevoke": "", "authEndpointManage": "https://other.example/manage",
		"authEndpointRegister": "https://other.example/register",

		"requiredAudience": "datastore", "requiredScope": "fhir", "trustedIssuers": "https://other.example",
		"moreIssuers":             `[{"issuer": "https://more.example", "jwks": "https://more.example/jwks", "requiredAudience": "datastore"}]`,
		"maxTokenLifetimeSeconds": 3600, "senderConstrainedTokens": "accept",

		"lambdaArchitecture": "x86_64", "lambdaMemorySize": 1024, "lambdaConcurrentExecutions": 6,
		"lambdaMaxConcurrentExecutions": 10, "lambdaReservedConcurrency": 20, "introspectionCacheSeconds": 5,
		"restrictInvokeToAccount": true,

		"vpcSubnets": "subnet-0123456789abcdef0 subnet-0123456789abcdef1", "vpcId": "vpc-0123456789abcdef0",
		"vpcSecurityGroups": "sg-0123456789abcdef0", "vpcSecretsEndpoint": true,

		"datastoreName": "other", "adoptDatastore": "0123456789abcdef0123456789abcdef", "protectDatastore": true, "preloadData": true, "preloadDataType": "SYNTHEA", "kmsKey": "create",
		"healthLakeAccess": "read-only", "bulkExport": "get", "authorizationStrategy": "SMART_ON_FHIR_V1", "fineGrainedAuthorization": false,
		"smartScopes": "openid", "smartCapabilities": "permission-v2", "grantTypes": "authorization_code",
		"tokenEndpointAuthMethods": "private_key_jwt", "tokenEndpointAuthSigningAlgs": "ES384",

		"lambdaEnhancedLogging": true, "logRetentionDays": 365, "auditClaims": "jti", "dashboard": false, "tracing": true, "alarmEmail": "ops@example.org",
	}
	for _, k := range keys {
		changes := map[string]any{k.name: another[k.name]}
		switch k.name {
		case KeyPrefix:
			continue
		case KeyTokenValidation:
			changes[KeyRequiredAudience] = another[KeyRequiredAudience]
		case KeyVPCSubnets, KeyVPCID, KeyVPCSecurityGroups, KeyVPCSecretsEndpoint:
			for _, name := range []string{KeyVPCSubnets, KeyVPCID} {
				changes[name] = another[name]
			}
		case KeyPreloadData, "preloadDataType":
			changes = map[string]any{KeyPreloadData: true, "preloadDataType": another["preloadDataType"]}
		}
		if another[k.name] == nil {
			t.Errorf("%s: no other value to try", k.name)
			continue
		}
		if changed := !reflect.DeepEqual(properties(accepts(t, changes)), before); changed != (k.replaces != "") {
			t.Errorf("%s: replaces is %q, but the datastore's properties change: %t", k.name, k.replaces, changed)
		}
	}
}

func TestReplacing(t *testing.T) {
	for property, want := range map[string][]string{
		"PreloadDataConfig": {"preloadData", "preloadDataType"}, "SseConfiguration": {"kmsKey"}, "DatastoreTypeVersion": nil,
	} {
		if got := Replacing(property); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", property, got, want)
		}
	}
}
