package main

import (
	"slices"
	"testing"
)

func TestCommands(t *testing.T) {
	const text = "Some words, and `make inline`.\n\n" +
		"```\nmake one   # what it does\nANY=… OTHER= make two\n\n  aws three --query 'a' \\\n    --output text\n```\n" +
		"1. A step\n   ```\n   npx cdk four\n   ```\n" +
		"```json\nmake not-this\n```\nmake nor-this\n" +
		"```\nok   what a program printed\nmakeshift\n```\n"
	var got []string
	for _, block := range blocks(text) {
		got = append(got, commands(block)...)
	}
	want := []string{"make one", "ANY=… OTHER= make two", "aws three --query 'a' --output text", "npx cdk four"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
