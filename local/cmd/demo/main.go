// Command demo shows what HealthLake would get from the function for good and bad tokens. It builds the binary that would be
// deployed and runs it in a sandbox. It fails if any response is not the right one.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"text/tabwriter"
	"time"

	"healthlake-smart-on-fhir/local/runtimeapi"
	"healthlake-smart-on-fhir/local/sandbox"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) (err error) {
	fmt.Fprintln(out, "Building the function (the first time takes a minute) ...")
	box, err := sandbox.Start(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, box.Stop()) }()
	fmt.Fprintf(out, "Started it in %s, beside\n", milliseconds(box.Function.InitDuration()))
	fmt.Fprintf(out, "  an identity provider at %s/\n", box.IDP.URL)
	fmt.Fprintf(out, "  a Secrets Manager    at %s/\n\n", box.Secrets.URL)
	fmt.Fprintf(out, "What HealthLake would get for a search, with each token from that provider:\n\n")

	table := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	fmt.Fprintf(table, "TOKEN\tisAuthorized\tTIME (of %d ms)\tfhirUser\tpatient\tscope\n", sandbox.TimeLimit.Milliseconds())
	var wrong []string
	for _, kind := range sandbox.Kinds {
		token, err := box.Token(ctx, kind.Name)
		if err != nil {
			return err
		}
		result, err := box.Function.Invoke(ctx, sandbox.Event(token))
		if err != nil {
			return err
		}
		response, err := check(kind, result)
		if err != nil {
			wrong = append(wrong, fmt.Sprintf("%s token: %v", kind.Name, err))
		}
		fmt.Fprintf(table, "%s\t%v\t%s\t%s\t%s\t%s\n", kind.Name,
			cmp.Or(response.AuthPayload["isAuthorized"], any("error")), milliseconds(result.Duration),
			cmp.Or(text(response, "fhirUser"), "-"), cmp.Or(text(response, "patient"), "-"),
			cmp.Or(text(response, "scope"), "-"))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if len(wrong) > 0 {
		fmt.Fprintln(out)
		for _, line := range wrong {
			fmt.Fprintln(out, "NOT AS EXPECTED:", line)
		}
		return fmt.Errorf("%d of %d responses are not as expected", len(wrong), len(sandbox.Kinds))
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

// check reads a result and says what is wrong with it for a token of this kind.
func check(kind sandbox.Kind, result runtimeapi.Result) (sandbox.Response, error) {
	response, err := sandbox.Parse(result)
	switch {
	case err != nil:
	case result.Duration > sandbox.TimeLimit:
		err = fmt.Errorf("the response came after %s", milliseconds(result.Duration))
	case response.Authorized() != kind.Authorized:
		err = fmt.Errorf("isAuthorized is %v", response.AuthPayload["isAuthorized"])
	case text(response, "scope") != kind.Scope || text(response, "fhirUser") != kind.FHIRUser ||
		text(response, "patient") != kind.Patient:
		err = errors.New("scope, fhirUser or patient is not what the provider knows")
	}
	return response, err
}

func text(r sandbox.Response, claim string) string {
	value, _ := r.AuthPayload[claim].(string)
	return value
}

func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000)
}
