package reason_test

import (
	"flag"
	"os"
	"testing"

	"healthlake-smart-on-fhir/internal/reason"
)

var update = flag.Bool("update", false, "write the reference page")

// Go cannot require an argument to be other than "", so a reason without advice is found here.
func TestEveryReasonHasAdvice(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range reason.All() {
		if r.Word == "" || r.Meaning == "" || r.Fix == "" && r != reason.Active {
			t.Errorf("%+v lacks a word, a meaning or a fix", r)
		}
		if seen[r.Word] {
			t.Errorf("%s is there twice", r.Word)
		}
		seen[r.Word] = true
	}
}

func TestReferenceIsCurrent(t *testing.T) {
	const page = "../../docs/reference/reasons.md"
	if *update {
		if err := os.WriteFile(page, []byte(reason.Reference()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if string(text) != reason.Reference() {
		t.Errorf("%s is stale; run make reference", page)
	}
}
