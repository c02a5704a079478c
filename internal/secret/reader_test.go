package secret_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"healthlake-smart-on-fhir/internal/contract"
	"healthlake-smart-on-fhir/internal/secret"
)

const complete = `{"auth_endpoint_token":"https://idp/t","auth_endpoint_introspect":"https://idp/i","hl_role_arn":"arn:role"}`

func TestReader(t *testing.T) {
	now := time.Unix(1700000000, 0)
	value, failure := complete, error(nil)
	r := secret.NewReader(
		func(context.Context) ([]byte, error) { return []byte(value), failure },
		func(value []byte) (contract.Document, error) { return contract.ParseDocument(value, true) },
		func() time.Time { return now })
	want := func(role string) contract.Document {
		t.Helper()
		d, err := r.Document(t.Context())
		if err != nil || d.HLRoleARN != role {
			t.Fatalf("got the document of %q, %v, want %q", d.HLRoleARN, err, role)
		}
		return d
	}
	old := want("arn:role")

	// What Parse refuses, and what cannot be read, leaves the last good document in place.
	for _, fault := range []string{"<html>", `{"client_id": "x"}`, "", `{"auth_endpoint_token": 1}`} {
		value = fault
		now = now.Add(61 * time.Second)
		want("arn:role")
	}
	value, failure = "", errors.New("AccessDeniedException")
	now = now.Add(61 * time.Second)
	want("arn:role")

	value, failure = strings.Replace(complete, "arn:role", "arn:two", 1), nil
	now = now.Add(61 * time.Second)
	want("arn:two")

	if d, ok := r.Renew(t.Context(), old); !ok || d.HLRoleARN != "arn:two" {
		t.Errorf("got %q, %t, want the document that was not refused", d.HLRoleARN, ok)
	}
}
