package contract

// LogMessage is the msg of the one line that the function logs for each call.
const LogMessage = "checkToken"

// The fields of that line. Users search by these names, and the metrics below are made of them.
const (
	FieldMessage     = "msg"
	FieldRequestID   = "request_id"
	FieldOperation   = "operation" // HealthLake's operationName
	FieldOutcome     = "outcome"   // one of package reason's outcomes
	FieldReason      = "reason"    // one of package reason's words
	FieldSecretMS    = "secret_ms" // milliseconds that the call waited for the secret
	FieldIdPMS       = "idp_ms"    // milliseconds that the call waited for the identity provider
	FieldIdPRequests = "idp_requests"
	FieldCacheHit    = "cache_hit"   // the claims were kept from an earlier call
	FieldFHIRScopes  = "fhir_scopes" // of an authorized token: how many of its scopes are for FHIR resources
	FieldTotalMS     = "total_ms"
	FieldError       = "error"
	// With enhanced logging alone: the event and the response, without credentials and personal claims.
	FieldRequest  = "request"
	FieldResponse = "answer"
)
