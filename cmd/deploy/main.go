// Command deploy synthesizes the stacks and deploys them. Before that it prints which of the datastore's settings change in
// place, and which of them somebody changed by hand. It stops before a datastore would be replaced.
//
//	deploy [command] [options of cdk synth] [-- options of the CDK's command]
//
// Other commands: synth stops after the synthesis; diff compares with what is deployed; destroy removes the stacks.
//
// Run it in the project's directory, with AWS credentials where every AWS SDK finds them. In the environment, CLIENT_SECRET,
// SRV_API_KEY and CLIENT_PRIVATE_KEY set the stacks' parameters, CONFIRM_REPLACEMENT=yes allows a new, empty datastore, and
// APPROVE=never deploys without a question. STACK=CheckToken deploys that stack, with those that it needs, and no later one.
package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"healthlake-smart-on-fhir/internal/clientauth"
	"healthlake-smart-on-fhir/internal/contract"
	"healthlake-smart-on-fhir/internal/terminal"
)

func main() {
	if err := run(context.Background(), os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, terminal.Lines(err.Error()))
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	command := "deploy"
	if len(args) > 0 && slices.Contains([]string{"synth", "diff", "destroy"}, args[0]) {
		command, args = args[0], args[1:]
	}
	var cdkArgs []string
	if i := slices.Index(args, "--"); i >= 0 {
		args, cdkArgs = args[:i], args[i+1:]
	}
	approval, err := approval(os.Getenv("APPROVE"))
	if err != nil {
		return err
	}
	if err := synthesize(args, stderr); err != nil || command == "synth" {
		return err
	}
	stacks, err := readAssembly(assemblyDir)
	if err != nil {
		return err
	}
	chosen, err := choose(os.Getenv("STACK"), stacks)
	if err != nil {
		return err
	}
	c, err := connect(ctx, stacks, profileOf(cdkArgs))
	if err != nil {
		return err
	}
	switch command {
	case "diff":
		return runCDK(append([]string{"diff", "--method", "template"}, cdkArgs...), nil, stdout, stderr)
	case "destroy":
		return destroy(ctx, c, stacks, cdkArgs, stdout, stderr)
	}
	parameters, err := examine(ctx, c, stacks, cdkArgs, stdout)
	if err != nil {
		return err
	}
	return runCDK(slices.Concat([]string{"deploy", chosen}, approval, cdkArgs), parameters, stdout, stderr)
}

// approval is the option of cdk deploy for what APPROVE says.
func approval(value string) ([]string, error) {
	switch value {
	case "":
		return nil, nil
	case "never":
		return []string{"--require-approval", "never"}, nil
	}
	return nil, fmt.Errorf("APPROVE: got %q, want never, or nothing to be asked before rights change", value)
}

// choose is what to deploy, as cdk deploy takes it: the stack with a name, given with or without the prefix, or all.
func choose(name string, stacks []stack) (string, error) {
	if name == "" {
		return "--all", nil
	}
	names := []string{contract.RolesStack, contract.SecretStack, contract.CheckTokenStack, contract.DatastoreStack}
	i := slices.IndexFunc(stacks, func(s stack) bool {
		return s.Name == name || slices.Contains(names, name) && strings.HasSuffix(s.Name, name)
	})
	if i < 0 {
		return "", fmt.Errorf("STACK: got %q, want one of %s, or nothing for all", name, strings.Join(names, ", "))
	}
	return stacks[i].Name, nil
}

// examine compares each stack with what is deployed, and prints what happens to the datastore. It returns the values of the
// stacks' parameters as cdk deploy takes them, or an error that says what would be lost or what is missing.
func examine(ctx context.Context, c clients, stacks []stack, deployArgs []string, stdout io.Writer) (parameters []string, err error) {
	for _, s := range stacks {
		before, err := describe(ctx, c, s)
		if err != nil {
			return nil, err
		}
		if len(before.resources(contract.DatastoreType))+len(before.resources(contract.SettingsType)) > 0 {
			p := planOf(ctx, c, s, before, deployArgs, stdout)
			if err := p.refusal(); err != nil && os.Getenv("CONFIRM_REPLACEMENT") != "yes" {
				return nil, err
			}
			parameters = append(parameters, options(s.Name, p.keeps)...)
		}
		values, kept, err := parameterValues(s, before.template, os.LookupEnv)
		if err == nil {
			err = checkSecret(ctx, c, s, before, kept, stdout)
		}
		if err != nil {
			return nil, err
		}
		parameters = append(parameters, values...)
	}
	return parameters, nil
}

// planOf decides and prints what happens to the datastore of a deployed stack. Whether somebody changed it by hand is no reason
// to stop, and neither is that nobody can tell.
func planOf(ctx context.Context, hl healthLake, s stack, before deployed, deployArgs []string, stdout io.Writer) plan {
	live, err := liveSettings(ctx, hl, before)
	p := decide(s, before, deployArgs, live)
	p.report(stdout, time.Now())
	if err != nil {
		fmt.Fprintf(stdout, "  Changes by hand are not known: %s\n", err)
	}
	return p
}

// parameterValues returns the values that the environment has for a stack's parameters. A parameter of the stack as it was
// before keeps its value where the environment has none; kept are the variables that it lacks.
func parameterValues(s stack, before template, lookup func(string) (string, bool)) (values, kept []string, err error) {
	for _, name := range slices.Sorted(maps.Keys(s.template.Parameters)) {
		p := s.template.Parameters[name]
		i := slices.IndexFunc(contract.Credentials, func(c contract.Credential) bool { return c.Parameter == name })
		if i < 0 || p.Default != nil {
			continue
		}
		variable := contract.Credentials[i].Variable
		value, set := lookup(variable)
		_, deployed := before.Parameters[name]
		if set && name == contract.ClientPrivateKey.Parameter {
			if value, err = privateKeyParameter(value); err != nil {
				return nil, nil, fmt.Errorf("%s: %w", variable, err)
			}
		}
		switch {
		case set:
			values = append(values, s.Name+":"+name+"="+value)
		case deployed:
			kept = append(kept, variable)
		default:
			return nil, nil, fmt.Errorf("%s is not set, and the parameter %s of stack %s has no value yet (%s); set it in the "+
				"environment and run this again; later deploys keep the value", variable, name, s.Name, p.Description)
		}
	}
	return values, kept, nil
}

// privateKeyParameter is a private key as the stack's parameter takes it.
func privateKeyParameter(text string) (string, error) {
	if _, err := clientauth.ParseKey(text); err != nil {
		return "", fmt.Errorf("%w; make client-key makes one", err)
	}
	escaped := contract.EscapeJSON(text)
	if len(escaped) > contract.MaxParameter {
		return "", fmt.Errorf("the key has %d bytes, want at most %d, CloudFormation's limit for a parameter; use an EC key, or RSA of at "+
			"most 4096 bits", len(escaped), contract.MaxParameter)
	}
	return escaped, nil
}
