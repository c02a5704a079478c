package config

import (
	"slices"
)

// Environment is another deployment from the same project.
type Environment struct {
	Name    string
	File    string // of its context
	Context map[string]any
}

// shared reports names that two environments in one account would both use: a deploy of one would change or remove the other's
// resources. Where no environment is chosen, the other may be the one that was meant, so that this is a warning.
func (p *parser) shared(others []Environment) {
	for _, other := range others {
		theirs := parser{context: other.Context, broken: map[string]bool{}}
		for _, k := range deploymentKeys {
			theirs.read(k)
		}
		own, o := p.config, theirs.config
		if own.Account != o.Account || p.anyBroken(deploymentNames) || theirs.anyBroken(deploymentNames) {
			continue
		}
		// The names of IAM roles begin with the prefix, and an account has each once, not once a region.
		if own.Prefix == o.Prefix {
			p.sharedName(KeyPrefix, own.Prefix, other, "account "+own.Account)
		}
		if own.SecretName == o.SecretName && own.Region == o.Region {
			p.sharedName(KeySecretName, own.SecretName, other, "account "+own.Account+", region "+own.Region)
		}
	}
}

var deploymentNames = []string{keyAccount, KeyRegion, KeyPrefix, KeySecretName}

func (p *parser) anyBroken(names []string) bool {
	return slices.ContainsFunc(names, func(name string) bool { return p.broken[name] })
}

func (p *parser) sharedName(key, value string, other Environment, where string) {
	want := "another " + key + ": both environments are in " + where
	if p.config.Env == "" {
		want = "-c " + KeyEnv + "=" + other.Name + " if that environment is meant, else " + want
	}
	p.report(key, Problem{Key: key, Got: show(value) + " as in " + other.File, Want: want, Warning: p.config.Env == ""})
}
