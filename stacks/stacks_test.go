package stacks

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"healthlake-smart-on-fhir/internal/config"
	"healthlake-smart-on-fhir/internal/contract"
)

func TestStacksDependInOrder(t *testing.T) {
	each(t, func(t *testing.T, cfg config.Config, s synthesized) {
		b, err := os.ReadFile(filepath.Join(s.dir, "manifest.json"))
		if err != nil {
			t.Fatal(err)
		}
		var manifest struct {
			Artifacts map[string]struct {
				Type         string
				Environment  string
				Dependencies []string
				Properties   struct{ Tags map[string]string }
			}
		}
		if err := json.Unmarshal(b, &manifest); err != nil {
			t.Fatal(err)
		}
		order := []string{"Roles", "Secret", "CheckToken", "Datastore"}
		var count int
		for _, artifact := range manifest.Artifacts {
			if artifact.Type == "aws:cloudformation:stack" {
				count++
			}
		}
		if count != len(order) {
			t.Errorf("got %d stacks, want %d", count, len(order))
		}
		for i, name := range order {
			artifact, ok := manifest.Artifacts[cfg.Prefix+name]
			if !ok {
				t.Fatalf("no stack %s%s", cfg.Prefix, name)
			}
			if want := "aws://" + cfg.Account + "/" + cfg.Region; artifact.Environment != want {
				t.Errorf("%s deploys to %s, want %s", name, artifact.Environment, want)
			}
			if got := artifact.Properties.Tags; !maps.Equal(got, map[string]string{cfg.TagName: cfg.TagValue}) {
				t.Errorf("tags of stack %s: %v", name, got)
			}
			for j, other := range order {
				depends := slices.Contains(artifact.Dependencies, cfg.Prefix+other)
				if j == i-1 && !depends {
					t.Errorf("%s does not depend on %s", name, other)
				}
				if j >= i && depends {
					t.Errorf("%s depends on %s, which comes later", name, other)
				}
			}
		}
	})
}

// Every type of resource is listed here by hand: a new one must be looked up and put in one of the lists.
func TestEveryTaggableResourceBearsTheTag(t *testing.T) {
	taggable := map[string]bool{
		"AWS::IAM::Role":                              true,
		"AWS::KMS::Key":                               true,
		"AWS::SecretsManager::Secret":                 true,
		"AWS::Logs::LogGroup":                         true,
		"AWS::Lambda::Function":                       true,
		"AWS::HealthLake::FHIRDatastore":              true,
		"AWS::CloudWatch::Alarm":                      true,
		"AWS::SNS::Topic":                             true,
		"AWS::Events::Rule":                           true,
		"AWS::S3::Bucket":                             true,
		"AWS::EC2::SecurityGroup":                     true,
		"AWS::EC2::VPCEndpoint":                       true,
		"AWS::S3::BucketPolicy":                       false,
		"AWS::CloudWatch::Dashboard":                  false,
		"AWS::Logs::MetricFilter":                     false,
		"AWS::Logs::QueryDefinition":                  false,
		"AWS::SNS::TopicPolicy":                       false,
		"AWS::SNS::Subscription":                      false,
		"AWS::IAM::ManagedPolicy":                     false,
		"AWS::SecretsManager::ResourcePolicy":         false,
		"AWS::Lambda::Version":                        false,
		"AWS::Lambda::Alias":                          false,
		"AWS::Lambda::Permission":                     false,
		"AWS::ApplicationAutoScaling::ScalableTarget": false,
		"AWS::ApplicationAutoScaling::ScalingPolicy":  false,
		contract.SettingsType:                         false,
	}
	each(t, func(t *testing.T, cfg config.Config, s synthesized) {
		for name, tmpl := range s.stacks {
			for id, r := range tmpl.all() {
				kind := r["Type"].(string)
				want, known := taggable[kind]
				if !known {
					t.Errorf("%s: is %s taggable?", name, kind)
				}
				if want {
					wantJSON(t, at(r, "Properties", "Tags"), `[{"Key": "`+cfg.TagName+`", "Value": "`+cfg.TagValue+`"}]`)
				} else if at(r, "Properties", "Tags") != nil {
					t.Errorf("%s: %s has tags after all", name, id)
				}
			}
		}
	})
}

// What one stack takes from another: the secret's ARN, and the key's where there is one. Neither is known beforehand.
func TestReferencesBetweenStacks(t *testing.T) {
	want := map[string]map[string][]string{
		"default":   {"CheckToken": {"sof-hl-Secret:ExportsOutputRefSecret34AA9512"}},
		"function":  {"CheckToken": {"sof-hl-Secret:ExportsOutputRefSecret34AA9512"}},
		"exports":   {"CheckToken": {"sof-hl-Secret:ExportsOutputRefSecret34AA9512"}},
		"vpc":       {"CheckToken": {"sof-hl-Secret:ExportsOutputRefSecret34AA9512"}},
		"vpcGroups": {"CheckToken": {"sof-hl-Secret:ExportsOutputRefSecret34AA9512"}},
		"ownKey": {
			"Secret": {"sof-hl-Roles:ExportsOutputFnGetAttKey961B73FDArn5A860C43"},
			"CheckToken": {
				"sof-hl-Roles:ExportsOutputFnGetAttKey961B73FDArn5A860C43",
				"sof-hl-Secret:ExportsOutputRefSecret34AA9512",
			},
			"Datastore": {"sof-hl-Roles:ExportsOutputFnGetAttKey961B73FDArn5A860C43"},
		},
		"givenKey": {"CheckToken": {"Secret:ExportsOutputRefSecret34AA9512"}},
	}
	for variantName := range variants {
		for name, tmpl := range get(t, variantName).stacks {
			found := map[string]bool{}
			walk(tmpl.json, func(key string, v any) {
				switch key {
				case "Fn::ImportValue":
					found[v.(string)] = true
				case "Fn::GetStackOutput":
					t.Errorf("%s, %s: weak reference %v", variantName, name, v)
				}
			})
			if got := slices.Sorted(maps.Keys(found)); !slices.Equal(got, want[variantName][name]) {
				t.Errorf("%s, %s imports %v, want %v", variantName, name, got, want[variantName][name])
			}
		}
	}
}

// Whatever needs no template function is written out, so that an auditor reads it as it will be.
func TestNoPseudoParameters(t *testing.T) {
	each(t, func(t *testing.T, _ config.Config, s synthesized) {
		for name, tmpl := range s.stacks {
			walk(tmpl.json["Resources"], func(key string, v any) {
				if ref, ok := v.(string); key == "Ref" && ok && strings.HasPrefix(ref, "AWS::") {
					t.Errorf("%s refers to %s", name, ref)
				}
			})
		}
	})
}

func TestPoliciesStandAlone(t *testing.T) {
	each(t, func(t *testing.T, _ config.Config, s synthesized) {
		for name, tmpl := range s.stacks {
			if n := len(tmpl.resources("AWS::IAM::Policy")); n != 0 {
				t.Errorf("%s has %d inline policies", name, n)
			}
			for id, role := range tmpl.resources("AWS::IAM::Role") {
				if at(role, "Properties", "Policies") != nil || at(role, "Properties", "ManagedPolicyArns") != nil {
					t.Errorf("%s: role %s brings permissions of its own", name, id)
				}
			}
		}
	})
}

// walk visits every key of every object in a JSON value.
func walk(v any, visit func(key string, v any)) {
	switch v := v.(type) {
	case map[string]any:
		for key, e := range v {
			visit(key, e)
			walk(e, visit)
		}
	case []any:
		for _, e := range v {
			walk(e, visit)
		}
	}
}
