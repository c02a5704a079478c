package docs

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The numbers of the requirements that SMART App Launch 2.2.0 has for servers (hl7.fhir.uv.smart-app-launch_2.2.0@<number>).
const requirements = `
	14-19 24 27 30-31 48-49 53-59 73-89 91-92 94-96 99-104 109-116 118-119 123 126-130 134 136 138-140 142 144-145
	149 154 159-160 163-165 167-190 192 194 197-200 203-210 212-214 217 228 231 240-241 243-262 265-266 269
	271-283 285-289 296-297 305-306 310-311 316 326 335-342 344 346 348-374 376-378 380-412 417-419 421-424
	427-434 436-439`

var (
	conformanceRow = regexp.MustCompile(`(?m)^\| @(\d+) \| [^|]+ \| (?:function|metadata|HealthLake|provider|operator) \| ([^|]+) \|$`)
	testLink       = regexp.MustCompile(`\[([^\]]+)\]\((\.\./[^)]+(?:_test\.go|\.test\.js))\)`)
)

// Each requirement has one row, and a test that a row names exists: a Go test by its name, one in JavaScript by the number.
func TestConformance(t *testing.T) {
	want := map[string]bool{}
	for _, field := range strings.Fields(requirements) {
		var from, to int
		if n, _ := fmt.Sscanf(field, "%d-%d", &from, &to); n == 1 {
			to = from
		}
		for n := from; n <= to; n++ {
			want[fmt.Sprint(n)] = true
		}
	}
	if len(want) != 265 {
		t.Fatalf("%d requirements, want 265", len(want))
	}
	docs := filepath.Join("..", "..", "docs")
	page, err := os.ReadFile(filepath.Join(docs, "conformance.md"))
	if err != nil {
		t.Fatal(err)
	}
	rows := conformanceRow.FindAllStringSubmatch(string(page), -1)
	if all := strings.Count(string(page), "\n| @"); all != len(rows) {
		t.Errorf("%d rows, of which %d can be read", all, len(rows))
	}
	for _, row := range rows {
		number, checked := row[1], row[2]
		if !want[number] {
			t.Errorf("@%s is no requirement, or has another row", number)
		}
		delete(want, number)
		for _, link := range testLink.FindAllStringSubmatch(checked, -1) {
			file, err := os.ReadFile(filepath.Join(docs, link[2]))
			name := regexp.MustCompile(`@` + number + `\b`)
			if strings.HasSuffix(link[2], ".go") {
				name = regexp.MustCompile(`(?m)^func ` + link[1] + `\(`)
			}
			if err != nil || !name.Match(file) {
				t.Errorf("@%s: %s has no %s", number, link[2], name)
			}
		}
	}
	if len(want) > 0 {
		t.Errorf("no row for %v", slices.Sorted(maps.Keys(want)))
	}
}
