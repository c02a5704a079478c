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
	FieldIssuer      = "issuer"    // with moreIssuers: whose rules decided; MainIssuer, or the issuer
	FieldSecretMS    = "secret_ms" // milliseconds that the call waited for the secret
	FieldIdPMS       = "idp_ms"    // milliseconds that the call waited for the identity provider
	FieldIdPRequests = "idp_requests"
	FieldCacheHit    = "cache_hit"   // the claims were kept from an earlier call
	FieldFHIRScopes  = "fhir_scopes" // of an authorized token: how many of its scopes are for FHIR resources
	FieldTotalMS     = "total_ms"
	FieldGot         = "got"  // of a token denied for its audience or issuer: what it has
	FieldWant        = "want" // and what the deployment requires
	FieldError       = "error"
	// With enhanced logging alone: the event and the response, without credentials and personal claims.
	FieldRequest  = "request"
	FieldResponse = "answer"
)

// MainIssuer stands in FieldIssuer for the provider that the deployment's own keys describe.
const MainIssuer = "main"

// DefaultAuditClaims are the claims whose values each line has where the token has them: which app asked, by which token.
var DefaultAuditClaims = []string{"client_id", "jti"}

// ClientIDClaims are the names that providers give to the client's id (RFC 7662 section 2.2; OpenID Connect Core section 2;
// Okta; Entra ID 1.0). The line has the first of them under the first name.
var ClientIDClaims = []string{"client_id", "azp", "cid", "appid"}

// LogFields are the names that no audited claim may have, since the line has them already.
var LogFields = []string{
	"time", "level", FieldMessage, FieldRequestID, FieldOperation, FieldOutcome, FieldReason, FieldIssuer, FieldSecretMS, FieldIdPMS,
	FieldIdPRequests, FieldCacheHit, FieldFHIRScopes, FieldTotalMS, FieldGot, FieldWant, FieldError, FieldRequest, FieldResponse,
}
