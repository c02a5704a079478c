package contract

// ReservedClaims are those that the function sets itself or never passes on. No provider may fill them, and no claim of a
// provider may be mapped to them. Compare without case, in case HealthLake does.
var ReservedClaims = []string{"isAuthorized", "iamRoleARN", "iss", "aud", "iat", "nbf", "exp", "active", "ext"}
