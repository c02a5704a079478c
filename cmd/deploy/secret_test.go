package main

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
)

// A deploy that would write the credentials of the last deploy over rotated ones stops, and says which to give.
func TestRotatedCredentialsStay(t *testing.T) {
	withText := func(text string) string {
		return strings.Replace(secretTemplate, `"Resources": {}`, `"Resources": {"S": {"Type": "AWS::SecretsManager::Secret",
			"Properties": {"Name": "SOF-HL", "SecretString": "`+text+`"}}}`, 1)
	}
	lastDeploy := time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)
	for name, test := range map[string]struct {
		before, after string
		changed       time.Duration // after the last deploy
		variables     map[string]string
		want          string // in the error; "" for none
		says          string
	}{
		"rotated":           {"a", "b", time.Hour, nil, "this deploy would write the secret SOF-HL again, with the credentials of its last deploy (2026-01-02 03:00:00), but the secret was changed since (2026-01-02 04:00:00), perhaps by make rotate; give the credentials that it has now in CLIENT_SECRET and SRV_API_KEY, and run this again", ""},
		"one given":         {"a", "b", time.Hour, map[string]string{"CLIENT_SECRET": "x"}, "has now in SRV_API_KEY, and run this again", ""},
		"all given":         {"a", "b", time.Hour, map[string]string{"CLIENT_SECRET": "x", "SRV_API_KEY": ""}, "", ""},
		"same text":         {"a", "a", time.Hour, nil, "", ""},
		"by the deploy":     {"a", "b", time.Minute, nil, "", ""},
		"may not look":      {"a", "b", -1, nil, "", "Whether the secret SOF-HL was changed since its last deploy is not known: "},
		"secret is no more": {"a", "b", -2, nil, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := project(t)
			write(t, "cdk.out/p-Secret.template.json", withText(test.after))
			deploys(t, s, "p-Secret", "CREATE_COMPLETE", withText(test.before))
			switch test.changed {
			case -1:
				s.Fail("secretsmanager DescribeSecret", "AccessDeniedException", "no")
			case -2:
				s.Fail("secretsmanager DescribeSecret", "ResourceNotFoundException", "no")
			default:
				s.Respond("secretsmanager DescribeSecret", fmt.Sprintf(`{"LastChangedDate": %d}`, lastDeploy.Add(test.changed).Unix()))
			}
			for name, value := range test.variables {
				t.Setenv(name, value)
			}
			var out strings.Builder
			err := run(t.Context(), nil, &out, io.Discard)
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("got %v, want %s", err, test.want)
			}
			if !strings.Contains(out.String(), test.says) {
				t.Errorf("printed %s, want %s", out.String(), test.says)
			}
			if _, ok := called(t); ok != (test.want == "") {
				t.Errorf("deployed: %t", ok)
			}
		})
	}
}
