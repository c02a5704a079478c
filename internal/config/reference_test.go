package config

import (
	"flag"
	"os"
	"path/filepath"
	"reflect"
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
