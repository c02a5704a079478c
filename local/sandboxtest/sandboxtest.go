// Package sandboxtest runs the function in a sandbox for a test. It is apart from package sandbox, whose users are no tests.
package sandboxtest

import (
	"strings"
	"testing"

	"healthlake-smart-on-fhir/local/sandbox"
)

// Start starts the built function as sandbox.Start does, and stops it when the test ends. The log of a test that failed has
// the function's.
func Start(t testing.TB, configure func(*sandbox.Sandbox)) *sandbox.Sandbox {
	t.Helper()
	s, err := sandbox.Start(t.Context(), configure)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the function's log:\n%s", strings.Join(s.Function.Logs(), "\n"))
		}
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}
