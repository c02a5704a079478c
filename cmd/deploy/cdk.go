package main

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"

	"healthlake-smart-on-fhir/internal/cdkcontext"
	"healthlake-smart-on-fhir/internal/config"
)

// assemblyDir is where cdk synth writes, and cdk deploy reads.
const assemblyDir = "cdk.out"

// synthesize runs cdk synth. npx --no never installs another version. It looks at the context first: the CDK does not say where
// in a file a mistake is, and it puts lines of its own around what the app says of a value.
func synthesize(args []string, stderr io.Writer) error {
	project, err := cdkcontext.Read(".", assignmentsOf(args))
	if err != nil {
		return err
	}
	if _, problems := config.Parse(project.Values, project.Others...); config.HasErrors(problems) {
		config.Report(stderr, problems)
		return errors.New("the context has errors, so nothing was done")
	}
	command := exec.Command("npx", append([]string{"--no", "--", "cdk", "synth", "--quiet", "--output", assemblyDir}, args...)...)
	command.Stdout, command.Stderr = stderr, stderr
	if err := command.Run(); err != nil {
		return fmt.Errorf("cdk synth failed, so nothing was deployed (%w)", err)
	}
	return nil
}

//go:embed cdk.js
var cdkScript string

// runCDK runs a command of the CDK on the assembly. parameters are "<stack>:<parameter>=<value>". Some are secrets, and
// therefore they go to the CDK by way of the environment; of the CDK's own environment variables, CDK_PARAMETERS takes one value only.
func runCDK(args, parameters []string, stdout, stderr io.Writer) error {
	hidden := []string{}
	for _, p := range parameters {
		hidden = append(hidden, "--parameters", p)
	}
	encoded, err := json.Marshal(hidden)
	if err != nil {
		return err
	}
	args = slices.Insert(slices.Clone(args), 1, "--app", assemblyDir)
	command := exec.Command("node", append([]string{"-e", cdkScript, "--"}, args...)...)
	command.Env = append(os.Environ(), "DEPLOY_ARGUMENTS="+string(encoded))
	command.Stdin, command.Stdout, command.Stderr = os.Stdin, stdout, stderr
	if err := command.Run(); err != nil {
		if exit := new(exec.ExitError); errors.As(err, &exit) {
			return fmt.Errorf("cdk %s failed, see above (%w)", args[0], err)
		}
		return fmt.Errorf("cdk %s: %w", args[0], err)
	}
	return nil
}

// assignmentsOf returns the values of the context among the options of cdk synth.
func assignmentsOf(args []string) []string { return optionValues(args, "-c", "--context") }

// profileOf returns the AWS profile among the options of cdk deploy, "" if there is none.
func profileOf(args []string) string {
	if profiles := optionValues(args, "--profile"); len(profiles) > 0 {
		return profiles[0]
	}
	return ""
}
