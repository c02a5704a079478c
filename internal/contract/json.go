package contract

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// EscapeJSON is s as it stands between the quotation marks of a JSON string.
func EscapeJSON(s string) string {
	text, _ := CompactJSON(s) // strings can always be written
	return string(text[1 : len(text)-1])
}

// AppendJSONString appends s as a JSON string to b.
func AppendJSONString(b []byte, s string) []byte {
	if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' || r == '"' || r == '\\' }) {
		text, _ := CompactJSON(s) // strings can always be written
		return append(b, text...)
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

// CompactJSON is v as one line of JSON without the HTML escapes that encoding/json adds by default: a scope such as
// patient/Observation.rs?category=laboratory&status=final stays as it is. The error quotes no value.
func CompactJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return nil, fmt.Errorf("writing %T as JSON: %w", v, err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
