// Command deploy synthesizes the stacks and deploys them. It stops before a datastore would be replaced.
//
//	deploy [command] [options of cdk synth] [-- options of the CDK's command]
//
// Other commands: synth stops after the synthesis; diff compares with what is deployed; destroy removes the stacks; idp-config
// prints the datastore's identity provider configuration in the form of HealthLake's UpdateFHIRDatastore.
//
// Run it in the project's directory, with AWS credentials where every AWS SDK finds them. In the environment, CLIENT_SECRET,
// SRV_API_KEY and CLIENT_PRIVATE_KEY set the stacks' parameters, CONFIRM_REPLACEMENT=yes allows a new, empty datastore, and
// APPROVE=never deploys without a question.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"

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
	if len(args) > 0 && slices.Contains([]string{"synth", "diff", "destroy", "idp-config"}, args[0]) {
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
	switch command {
	case "idp-config":
		return writeConfig(stdout, stacks)
	case "diff":
		return runCDK(append([]string{"diff", "--method", "template"}, cdkArgs...), nil, stdout, stderr)
	}
	client, err := connect(ctx, stacks, profileOf(cdkArgs))
	if err != nil {
		return err
	}
	if command == "destroy" {
		return destroy(ctx, client, stacks, cdkArgs, stdout, stderr)
	}
	parameters, err := examine(ctx, client, stacks)
	if err != nil {
		return err
	}
	return runCDK(slices.Concat([]string{"deploy", "--all"}, approval, cdkArgs), parameters, stdout, stderr)
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

// writeConfig prints what CloudFormation would give the datastore; the API's field names are the same.
func writeConfig(w io.Writer, stacks []stack) error {
	for _, s := range stacks {
		for _, resource := range datastores(s.template) {
			encoder := json.NewEncoder(w)
			encoder.SetEscapeHTML(false)
			encoder.SetIndent("", "  ")
			return encoder.Encode(resource.Properties["IdentityProviderConfiguration"])
		}
	}
	return errors.New("no stack has a datastore")
}

// examine compares each stack with what is deployed. It returns the values of the stacks' parameters as cdk deploy takes
// them, or an error that says what would be lost or what is missing.
func examine(ctx context.Context, client cloudFormation, stacks []stack) (parameters []string, err error) {
	for _, s := range stacks {
		before, err := deployedTemplate(ctx, client, s)
		if err != nil {
			return nil, err
		}
		if changes := replacements(before, s.template); len(changes) > 0 && os.Getenv("CONFIRM_REPLACEMENT") != "yes" {
			return nil, refusal(s.Name, changes, stacks)
		}
		values, err := parameterValues(s, before, os.LookupEnv)
		if err != nil {
			return nil, err
		}
		parameters = append(parameters, values...)
	}
	return parameters, nil
}

// parameterValues returns the values that the environment has for a stack's parameters. A parameter of the stack as it was
// before keeps its value where the environment has none.
func parameterValues(s stack, before template, lookup func(string) (string, bool)) (values []string, err error) {
	for _, name := range slices.Sorted(maps.Keys(s.template.Parameters)) {
		p := s.template.Parameters[name]
		i := slices.IndexFunc(contract.Credentials, func(c contract.Credential) bool { return c.Parameter == name })
		if i < 0 || p.Default != nil {
			continue
		}
		variable := contract.Credentials[i].Variable
		value, set := lookup(variable)
		_, kept := before.Parameters[name]
		if set && name == contract.ClientPrivateKey.Parameter {
			if _, err := clientauth.ParseKey(value); err != nil {
				return nil, fmt.Errorf("%s: %w; make client-key makes one", variable, err)
			}
			value = contract.EscapeJSON(value)
		}
		switch {
		case set:
			values = append(values, s.Name+":"+name+"="+value)
		case !kept:
			return nil, fmt.Errorf("%s is not set, and the parameter %s of stack %s has no value yet (%s); set it in the "+
				"environment and run this again; later deploys keep the value", variable, name, s.Name, p.Description)
		}
	}
	return values, nil
}
