package checklist

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestTable(t *testing.T) {
	var l List
	l.OK("context", "valid")
	l.Warn("endpoint", "slow", "make it faster")
	l.Fail("é", "wrong", "repair it")
	l.Skip("AWS", "no credentials")
	var b strings.Builder
	if err := l.Table(&b); err != nil {
		t.Fatal(err)
	}
	want := strings.Join([]string{
		"ok       context   valid",
		"warning  endpoint  slow",
		"                   fix: make it faster",
		"failed   é         wrong",
		"                   fix: repair it",
		"skipped  AWS       no credentials",
		"",
		"ok 1, warning 1, failed 1, skipped 1",
		"",
	}, "\n")
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

func TestWorst(t *testing.T) {
	var l List
	for _, step := range []struct {
		add  func()
		want Status
	}{
		{func() {}, OK},
		{func() { l.Skip("a", "") }, OK},
		{func() { l.OK("b", "") }, OK},
		{func() { l.Warn("c", "", "") }, Warning},
		{func() { l.Fail("d", "", "") }, Failed},
		{func() { l.Warn("e", "", "") }, Failed},
	} {
		step.add()
		if got := l.Worst(); got != step.want {
			t.Errorf("%d rows: got %s, want %s", len(l), got, step.want)
		}
	}
}

func TestPrintable(t *testing.T) {
	var l List
	l.Warn("a\x1b[2J", "b\nc", "d\u202ee")
	if got := l[0]; got.Check != "a\ufffd[2J" || got.Reason != "b\ufffdc" || got.Fix != "d\ufffde" {
		t.Errorf("got %q", got)
	}
}

func TestJSON(t *testing.T) {
	var l List
	l.Fail("introspection", "a<b", "do")
	var b strings.Builder
	response := []byte(`{"authPayload":{"scope":"patient/Observation.rs?a&b","claim":"` + "\u009b2J\u202e" + `"}}`)
	if err := l.JSON(&b, []string{"x"}, response); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(b.String(), "Observation.rs?a&b") || !strings.Contains(b.String(), `"a<b"`) {
		t.Errorf("escaped:\n%s", b.String())
	}
	if !strings.Contains(b.String(), `"\u009b2J\u202e"`) {
		t.Errorf("characters that a terminal obeys are not escaped:\n%q", b.String())
	}
	var d Document
	if err := json.Unmarshal([]byte(b.String()), &d); err != nil {
		t.Fatal(err)
	}
	if d.Status != Failed || len(d.Checks) != 1 || d.Checks[0].Fix != "do" || len(d.Changes) != 1 {
		t.Errorf("got %+v", d)
	}
	b.Reset()
	if err := List(nil).JSON(&b, nil, nil); err != nil || !strings.Contains(b.String(), `"checks": []`) {
		t.Errorf("no rows: %v\n%s", err, b.String())
	}
}
