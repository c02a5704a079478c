// Command demo shows what HealthLake would get from the function for good and bad tokens. It builds the binary that
// would be deployed and runs it behind a local Lambda Runtime API, Secrets Manager and identity provider. It fails if
// any answer is not the right one.
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"text/tabwriter"
	"time"

	"healthlake-smart-on-fhir/local/build"
	"healthlake-smart-on-fhir/local/runtimeapi"
	"healthlake-smart-on-fhir/local/sandbox"
)

// expectations is what each kind of token must come to.
var expectations = []struct {
	kind       sandbox.Kind
	authorized bool
	scope      string
	fhirUser   string
	patient    string
}{
	{sandbox.Valid, true, sandbox.Scope, sandbox.FHIRUser, sandbox.Patient},
	{sandbox.Backend, true, sandbox.BackendScope, "", ""},
	{kind: sandbox.Revoked},
	{kind: sandbox.Expired},
	{kind: sandbox.Refresh},
	{kind: sandbox.MadeUp},
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Stdout)
	if ctx.Err() != nil {
		err = errors.New("interrupted")
	}
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) (err error) {
	root, err := build.Root()
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "Building the function (the first time takes a minute) ...")
	bootstrap, err := build.Function(ctx, filepath.Join(root, "local", ".cache"))
	if err != nil {
		return err
	}
	box, err := sandbox.Start(ctx, sandbox.Config{Bootstrap: bootstrap})
	if err != nil {
		return err
	}
	defer func() {
		if stopErr := box.Stop(); err == nil {
			err = stopErr
		}
	}()
	fmt.Fprintf(out, "Started it in %s, beside\n", milliseconds(box.Function.InitDuration()))
	fmt.Fprintf(out, "  an identity provider at %s\n", box.IDP.URL())
	fmt.Fprintf(out, "  a Secrets Manager    at %s/\n\n", box.Secrets.URL())
	fmt.Fprintf(out, "What HealthLake would get for a search, with each token from that provider:\n\n")

	table := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	fmt.Fprintf(table, "TOKEN\tisAuthorized\tTIME (of %d ms)\tfhirUser\tpatient\tscope\n",
		sandbox.Budget.Milliseconds())
	var wrong []string
	for _, want := range expectations {
		token, err := box.Token(ctx, want.kind)
		if err != nil {
			return err
		}
		result, err := box.Function.Invoke(ctx, sandbox.Event(token))
		if err != nil {
			return err
		}
		answer, fault := read(result)
		if fault == "" && answer.Authorized() != want.authorized {
			fault = fmt.Sprintf("isAuthorized is %v", answer.AuthPayload["isAuthorized"])
		}
		if fault == "" && (text(answer, "scope") != want.scope || text(answer, "fhirUser") != want.fhirUser ||
			text(answer, "patient") != want.patient) {
			fault = "scope, fhirUser or patient is not what the provider knows"
		}
		if fault != "" {
			wrong = append(wrong, fmt.Sprintf("%s token: %s", want.kind, fault))
		}
		fmt.Fprintf(table, "%s\t%v\t%s\t%s\t%s\t%s\n", want.kind,
			cmp.Or(answer.AuthPayload["isAuthorized"], any("error")), milliseconds(result.Duration),
			cmp.Or(text(answer, "fhirUser"), "-"), cmp.Or(text(answer, "patient"), "-"),
			cmp.Or(text(answer, "scope"), "-"))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if len(wrong) > 0 {
		fmt.Fprintln(out)
		for _, line := range wrong {
			fmt.Fprintln(out, "NOT AS EXPECTED:", line)
		}
		return fmt.Errorf("%d of %d answers are not as expected", len(wrong), len(expectations))
	}
	fmt.Fprint(out, `
All as expected. What to do next:

  1. Put your account, region and identity provider into cdk.context.json.
  2. Check it:                 make preflight
  3. Deploy:                   CLIENT_SECRET=… SRV_API_KEY=… make deploy
  4. Run one event by hand:    make invoke EVENT=events/search.json
`)
	return nil
}

// read takes the answer out of a result, or says what is wrong with it.
func read(result runtimeapi.Result) (answer sandbox.Answer, fault string) {
	switch {
	case result.FunctionError != nil:
		return answer, fmt.Sprintf("%s: %s", result.FunctionError.Type, result.FunctionError.Message)
	case result.Duration > sandbox.Budget:
		fault = fmt.Sprintf("the answer came after %s", milliseconds(result.Duration))
	}
	if err := json.Unmarshal(result.Payload, &answer); err != nil {
		return answer, "the answer is not JSON"
	}
	if answer.IAMRoleARN != sandbox.ServiceRole {
		return answer, "iamRoleARN is not the service role"
	}
	return answer, fault
}

func text(a sandbox.Answer, claim string) string {
	value, _ := a.AuthPayload[claim].(string)
	return value
}

func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000)
}
