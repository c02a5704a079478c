package authorize

// maxToken is far above real tokens, which travel in a header that servers commonly limit to 8 KiB.
const maxToken = 16 << 10

// WellFormed tells whether a token could be one at all: RFC 6749 appendix A.12 allows visible ASCII, and a bearer token
// has no space in it (RFC 6750 section 2.1). What is not well formed is denied with reason.MalformedToken, without asking
// the provider.
func WellFormed(token string) bool {
	if len(token) > maxToken {
		return false
	}
	for i := range len(token) {
		if token[i] <= ' ' || token[i] > '~' {
			return false
		}
	}
	return true
}
