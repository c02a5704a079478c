// Command deploy synthesizes the stacks and deploys them. It stops before a datastore would be replaced.
//
//	deploy [options of cdk synth] [-- options of cdk deploy]
//	deploy idp-config [options of cdk synth]
//
// The second form prints the datastore's identity provider configuration in the form of HealthLake's UpdateFHIRDatastore.
//
// Run it in the project's directory, with AWS credentials where every AWS SDK finds them. In the environment, CLIENT_SECRET,
// SRV_API_KEY and CLIENT_PRIVATE_KEY set the stacks' parameters, and CONFIRM_REPLACEMENT=yes allows a new, empty datastore.
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
	printConfig := len(args) > 0 && args[0] == "idp-config"
	if printConfig {
		args = args[1:]
	}
	var deployArgs []string
	if i := slices.Index(args, "--"); i >= 0 {
		args, deployArgs = args[:i], args[i+1:]
	}
	if err := synthesize(args, stderr); err != nil {
		return err
	}
	stacks, err := readAssembly(assemblyDir)
	if err != nil {
		return err
	}
	if printConfig {
		return writeConfig(stdout, stacks)
	}
	client, err := connect(ctx, stacks, profileOf(deployArgs))
	if err != nil {
		return err
	}
	parameters, err := examine(ctx, client, stacks)
	if err != nil {
		return err
	}
	return deploy(parameters, deployArgs, stdout, stderr)
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
