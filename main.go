// Command healthlake-smart-on-fhir is the CDK app: it reads the context, checks it and synthesizes the stacks. The CDK
// command line runs it; see cdk.json.
package main

import (
	"fmt"
	"io"
	"os"
	"reflect"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"healthlake-smart-on-fhir/internal/cdkcontext"
	"healthlake-smart-on-fhir/internal/config"
	"healthlake-smart-on-fhir/internal/terminal"
	"healthlake-smart-on-fhir/stacks"
)

func main() {
	status := synthesize(os.Stderr)
	endNode() // not deferred: os.Exit runs no deferred call
	os.Exit(status)
}

// endNode ends the CDK's Node process. jsii waits for it in two places at once, and now and then the one that comes too
// late writes to stderr that it exited abnormally, which it did not; that line goes nowhere.
func endNode() {
	if null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0); err == nil {
		os.Stderr = null
	}
	jsii.Close()
}

// synthesize returns the process's exit status: 1 for a mistake in the context, which it reports on stderr.
func synthesize(stderr io.Writer) int {
	app := awscdk.NewApp(nil)
	merged, _ := app.Node().GetAllContext(nil).(map[string]any)
	project, err := cdkcontext.Overlay(".", merged)
	if err != nil {
		fmt.Fprintln(stderr, terminal.Printable(err.Error()))
		return 1
	}
	for key, value := range project.Values {
		if !reflect.DeepEqual(merged[key], value) {
			app.Node().SetContext(&key, value)
		}
	}
	cfg, problems := config.Parse(project.Values, project.Others...)
	config.Report(stderr, problems)
	if config.HasErrors(problems) {
		return 1
	}
	source, err := stacks.FindSource()
	if err == nil {
		err = stacks.New(app, cfg, source)
	}
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	app.Synth(nil)
	return 0
}
