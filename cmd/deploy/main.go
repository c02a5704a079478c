// Command deploy synthesizes the stacks and deploys them, but never replaces a datastore unasked.
//
//	deploy [options of cdk synth] [-- options of cdk deploy]
//	deploy idp-config [options of cdk synth]
//
// The second form prints the datastore's identity provider configuration as the HealthLake API takes it. Run it in the
// project's directory; the credentials are those of the environment, as for the CDK and the AWS command lines that it
// runs.
//
// Environment: CLIENT_SECRET and SRV_API_KEY fill the stacks' parameters, and CONFIRM_REPLACEMENT=yes allows a new,
// empty datastore.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
)

const assemblyDir = "cdk.out"

// variables are the environment variables that fill the stacks' parameters.
var variables = map[string]string{"ClientSecret": "CLIENT_SECRET", "SrvAPIKey": "SRV_API_KEY"}

func main() {
	if err := run(os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string, stdout, stderr io.Writer) error {
	printConfig := len(args) > 0 && args[0] == "idp-config"
	if printConfig {
		args = args[1:]
	}
	var deployArgs []string
	if i := slices.Index(args, "--"); i >= 0 {
		args, deployArgs = args[:i], args[i+1:]
	}

	synth := exec.Command("npx", append([]string{"cdk", "synth", "--quiet", "--output", assemblyDir}, args...)...)
	synth.Stdout, synth.Stderr = stderr, stderr
	if err := synth.Run(); err != nil {
		return fmt.Errorf("cdk synth: %w", err)
	}
	stacks, err := readAssembly(assemblyDir)
	if err != nil {
		return err
	}
	if printConfig {
		return writeConfig(stdout, stacks)
	}

	parameters, err := examine(stacks)
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

// examine compares each stack with what is deployed. It returns the values for the stacks' parameters, as cdk deploy
// takes them, or an error that says what would be lost or is missing.
func examine(stacks []stack) (parameters []string, err error) {
	if err := checkAccount(stacks); err != nil {
		return nil, err
	}
	for _, s := range stacks {
		before, err := s.deployed()
		if err != nil {
			return nil, err
		}
		if changes := replacements(before, s.template); len(changes) > 0 && os.Getenv("CONFIRM_REPLACEMENT") != "yes" {
			return nil, refusal(s.Name, changes, stacks)
		}
		for _, name := range slices.Sorted(maps.Keys(s.template.Parameters)) {
			p := s.template.Parameters[name]
			variable := variables[name]
			value, given := os.LookupEnv(variable)
			_, kept := before.Parameters[name]
			switch {
			case variable == "" || p.Default != nil:
			case given:
				parameters = append(parameters, s.Name+":"+name+"="+value)
			case !kept:
				return nil, fmt.Errorf("%s is not set, and stack %s has no value for its parameter %s yet (%s): set it in "+
					"the environment and run this again; later deploys keep the value", variable, s.Name, name, p.Description)
			}
		}
	}
	return parameters, nil
}

// deploy runs the CDK's command line on what was examined. Parameters go to it by way of the environment and are added
// to its arguments inside the process: arguments of a process can be read by every user of the machine.
func deploy(parameters, args []string, stdout, stderr io.Writer) error {
	const cdk = `process.argv.push(...JSON.parse(process.env.DEPLOY_PARAMETERS).flatMap(p => ["--parameters", p]));
		delete process.env.DEPLOY_PARAMETERS; require("aws-cdk/bin/cdk");`
	if parameters == nil {
		parameters = []string{}
	}
	encoded, err := json.Marshal(parameters)
	if err != nil {
		return err
	}
	args = append([]string{"-e", cdk, "cdk", "deploy", "--all", "--app", assemblyDir}, args...)
	command := exec.Command("node", args...)
	command.Env = append(os.Environ(), "DEPLOY_PARAMETERS="+string(encoded))
	command.Stdin, command.Stdout, command.Stderr = os.Stdin, stdout, stderr
	if err := command.Run(); err != nil {
		return fmt.Errorf("cdk deploy: %w", err)
	}
	return nil
}

// checkAccount: with credentials of another account every stack would look as if it had never been deployed.
func checkAccount(stacks []stack) error {
	account, err := aws("sts", "get-caller-identity", "--query", "Account", "--output", "text")
	if err != nil {
		return err
	}
	got := strings.TrimSpace(string(account))
	for _, s := range stacks {
		if s.Account != got {
			return fmt.Errorf("the credentials are of account %s, and stack %s belongs to %s", got, s.Name, s.Account)
		}
	}
	return nil
}

// aws runs the AWS command line. Its error is what the command line says.
func aws(args ...string) ([]byte, error) {
	command := exec.Command("aws", args...)
	var stderr bytes.Buffer
	command.Stderr = &stderr
	out, err := command.Output()
	if err != nil {
		if said := strings.TrimSpace(stderr.String()); said != "" {
			err = errors.New(said)
		}
		return nil, fmt.Errorf("aws %s %s: %w", args[0], args[1], err)
	}
	return out, nil
}
