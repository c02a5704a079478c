package main

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// assemblyDir is where cdk synth writes, and cdk deploy reads.
const assemblyDir = "cdk.out"

// synthesize runs cdk synth. npx --no never installs another version.
func synthesize(args []string, stderr io.Writer) error {
	command := exec.Command("npx", append([]string{"--no", "--", "cdk", "synth", "--quiet", "--output", assemblyDir}, args...)...)
	command.Stdout, command.Stderr = stderr, stderr
	if err := command.Run(); err != nil {
		return fmt.Errorf("cdk synth failed, so nothing was deployed (%w)", err)
	}
	return nil
}

//go:embed cdk.js
var cdkScript string

// deploy runs cdk deploy on the assembly. parameters are "<stack>:<parameter>=<value>". They are secrets, and therefore go to
// the CDK by way of the environment; of the CDK's own environment variables, CDK_PARAMETERS takes one value only.
func deploy(parameters, args []string, stdout, stderr io.Writer) error {
	hidden := []string{}
	for _, p := range parameters {
		hidden = append(hidden, "--parameters", p)
	}
	encoded, err := json.Marshal(hidden)
	if err != nil {
		return err
	}
	command := exec.Command("node", append([]string{"-e", cdkScript, "--", "deploy", "--all", "--app", assemblyDir}, args...)...)
	command.Env = append(os.Environ(), "DEPLOY_ARGUMENTS="+string(encoded))
	command.Stdin, command.Stdout, command.Stderr = os.Stdin, stdout, stderr
	if err := command.Run(); err != nil {
		if exit := new(exec.ExitError); errors.As(err, &exit) {
			return fmt.Errorf("cdk deploy failed, see above (%w)", err)
		}
		return fmt.Errorf("cdk deploy: %w", err)
	}
	return nil
}

// profileOf returns the AWS profile among the options of cdk deploy, "" if there is none.
func profileOf(args []string) string {
	for i, arg := range args {
		if value, ok := strings.CutPrefix(arg, "--profile="); ok {
			return value
		}
		if arg == "--profile" && i+1 < len(args) {
			return args[i+1]
		}
	}
	return ""
}
