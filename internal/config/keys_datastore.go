package config

// Properties of a datastore that HealthLake sets only when it creates one (CloudFormation, AWS::HealthLake::FHIRDatastore).
const (
	preloadProperty = "PreloadDataConfig"
	keyProperty     = "SseConfiguration"
)

var datastoreKeys = []key{
	{
		name: KeyDatastoreName, byDefault: required,
		value: text(func(c *Config) *string { return &c.DatastoreName }, datastoreName),
		doc:   "The datastore's name, without the prefix, which is put in front of it.",
	},
	{
		name: "adoptDatastore", byDefault: fixed(""),
		value: text(func(c *Config) *string { return &c.AdoptDatastore }, datastoreID),
		doc: "The id of a datastore that exists already, for example a restored one. The deployment then creates none: it changes " +
			"the settings of this one, and never deletes it. A deployment that has created its datastore cannot adopt another. " +
			"`preloadData` has no effect; `kmsKey` must be the datastore's own key, if it has one. See " +
			"[adopt a datastore](../upgrading.md#adopt-a-datastore).",
	},
	{
		name: "protectDatastore", byDefault: fixed(false),
		value: boolean(func(c *Config) *bool { return &c.ProtectDatastore }),
		doc: "Turns on termination protection for the stacks, so that `cdk destroy` refuses, and keeps the datastore and " +
			"its data when its stack is deleted. See [the datastore](../operations.md#the-datastore).",
	},
	{
		name: KeyPreloadData, byDefault: fixed(false), replaces: preloadProperty,
		value: boolean(func(c *Config) *bool { return &c.PreloadData }),
		doc:   "Fills the new datastore with synthetic patients.",
	},
	{
		name: "preloadDataType", value: preloadDataType, replaces: preloadProperty,
		byDefault: derived("none; required where "+code(KeyPreloadData)+" is true", func(c Config) any {
			if c.PreloadData {
				return nil
			}
			return ""
		}),
		doc: "The kind of preloaded data. Ignored where `preloadData` is false.",
	},
	{
		name: KeyKMSKey, byDefault: fixed(KMSKeyAWSOwned), replaces: keyProperty,
		value: text(func(c *Config) *string { return &c.KMSKey }, kmsKey),
		doc: "What encrypts the datastore, the secret and the function's log: keys that AWS owns, a customer managed key with " +
			"rotation that the deployment creates, or your own key of the same region. " +
			"[What your own key's policy must allow](../security.md#customer-key).",
	},
	{
		name: "healthLakeAccess", byDefault: fixed(AccessReadWrite),
		value: text(func(c *Config) *string { return &c.HealthLakeAccess }, oneOf(AccessReadWrite, AccessReadOnly)),
		doc:   "The most that any request may do, whatever its token says: it bounds the role that HealthLake assumes.",
	},
	{
		name: KeyBulkExport, byDefault: fixed(BulkExportOff),
		value: text(func(c *Config) *string { return &c.BulkExport }, oneOf(BulkExportOff, BulkExportGet, BulkExportS3)),
		doc: "`get` lets backend services export in bulk: a token with a `system/` scope that reads, and no `patient/` or `user/` " +
			"scope, gets a role that may start an export by GET, watch it, fetch its files and cancel it. `s3` adds exports by POST, " +
			"which go to a bucket of the deployment. An export hands out whole records of many patients; the filter of a v2.2 scope " +
			"does not restrict it. See [bulk export](../bulk-export.md).",
	},
	{
		name: KeyAuthorizationStrategy, byDefault: fixed(StrategySMART),
		value: text(func(c *Config) *string { return &c.AuthorizationStrategy },
			oneOf(StrategySMART, StrategySMARTV1)),
		doc: "The version of SMART scopes that HealthLake knows: `SMART_ON_FHIR` is version 2 and 1, `SMART_ON_FHIR_V1` " +
			"version 1 alone.",
	},
	{
		name: "fineGrainedAuthorization", byDefault: fixed(true),
		value: boolean(func(c *Config) *bool { return &c.FineGrainedAuthorization }),
		doc: "HealthLake narrows `user/` scopes to the user's own patients: a Practitioner sees those whose " +
			"`Patient.generalPractitioner` names them, a Patient or RelatedPerson those that `Patient.link.other` links. " +
			"Without it a `user/` scope reaches every patient in the datastore; therefore it is on by default. The token needs " +
			"the claim `fhirUser`. See [the facts](../aws-facts.md#scopes-and-users).",
	},

	{
		name:      KeyGrantTypes,
		byDefault: fixed([]string{GrantAuthorizationCode, GrantClientCredentials}),
		value:     list(func(c *Config) *[]string { return &c.GrantTypes }, grantTypes),
		doc: "The grant types in the discovery document: `authorization_code` for apps with users, `client_credentials` " +
			"for backend services.",
	},
	{
		name: KeySmartCapabilities,
		byDefault: derived(codes(hydraCapabilities(StrategySMART))+
			"; with "+code(StrategySMARTV1)+" without "+code(capabilityPermissionV2),
			func(c Config) any { return hydraCapabilities(c.AuthorizationStrategy) }),
		value: list(func(c *Config) *[]string { return &c.SmartCapabilities }, capabilities),
		doc: "The [SMART capabilities](https://hl7.org/fhir/smart-app-launch/conformance.html#capability-sets) in the " +
			"discovery document. The default is right for ORY Hydra; for another provider see the " + providerPages + ".",
	},
	{
		name: KeySmartScopes,
		byDefault: derived("`openid`, `fhirUser`, `offline_access`, `launch/patient`, and for `patient`, `user` and `system` "+
			"`/*.read`, `/*.write` and, with the capability "+code(capabilityPermissionV2)+", `/*.rs` and `/*.cruds`",
			func(c Config) any { return widestScopes(c.SmartCapabilities) }),
		value: list(func(c *Config) *[]string { return &c.SmartScopes }, smartScopes),
		doc: "The scopes in the discovery document. A client asks for some of them. HealthLake takes a filter " +
			"(`patient/Observation.rs?category=laboratory`) for a resource type only, not for `*`, and a filter does not restrict a " +
			"bulk export.",
	},
	{
		name: KeyTokenEndpointAuthMethods, byDefault: fixed([]string{}),
		value: list(func(c *Config) *[]string { return &c.TokenEndpointAuthMethods }, authMethods),
		doc: "How apps may authenticate at the token endpoint: `token_endpoint_auth_methods_supported` of the discovery document, which " +
			"SMART requires beside the capability `client-confidential-asymmetric`. `make preflight write` takes it from " +
			"[the provider's document](../preflight.md#fill-in-the-endpoints-from-the-issuer). Empty: the discovery document has no such field.",
	},
	{
		name: KeyTokenEndpointAuthSigningAlgs, byDefault: fixed([]string{}),
		value: list(func(c *Config) *[]string { return &c.TokenEndpointAuthSigningAlgs }, signingAlgs),
		doc: "How apps may sign their assertions there: `token_endpoint_auth_signing_alg_values_supported`, in the same way. If the " +
			"provider's document doesn't say it, as ORY's, set what the provider accepts, for ORY `RS384, ES384`.",
	},
}

// preloadDataType is checked only where data is preloaded; otherwise the key does not matter.
var preloadDataType = value{
	want: PreloadSynthea + " where " + KeyPreloadData + " is true",
	set: func(c *Config, raw any) (any, bool) {
		if !c.PreloadData {
			return nil, true
		}
		if raw != PreloadSynthea {
			return raw, false
		}
		c.PreloadDataType = PreloadSynthea
		return nil, true
	},
}
