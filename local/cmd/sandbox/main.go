// Command sandbox puts a HealthLake on this machine: a FHIR server behind the real function, an identity provider and a SMART
// app, until it is interrupted. docs/sandbox.md is its manual.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"healthlake-smart-on-fhir/internal/contract"
	"healthlake-smart-on-fhir/local/functionbinary"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	status := 0
	if err := command(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "sandbox:", err)
		status = 1
	}
	stop()
	os.Exit(status)
}

// command runs until ctx is done. Its errors are lines for the user.
func command(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) error {
	o, err := parse(args, getenv, stderr)
	if err != nil {
		return err
	}
	root, err := functionbinary.Root()
	if err != nil {
		return err
	}
	if o.data != "" {
		if o.data, err = filepath.Abs(o.data); err != nil {
			return err
		}
	}
	return run(ctx, root, o, stdout, stderr)
}

// options are what the user may choose.
type options struct {
	port int    // the first of two
	app  string // client id of the demo app
	data string // directory with records; empty: the synthetic ones
	// assignments are the key=value of the context that win over its files.
	assignments []string
	context     bool // the provider of cdk.context.json instead of the sandbox's
	faults      faults
	// credentials are the function's at that provider, by their fields in the secret.
	credentials map[string]string
}

// faults are what goes wrong at the provider's introspection endpoint.
type faults struct {
	Latency int64   `json:"latency"` // milliseconds
	Stall   float64 `json:"stall"`   // share of the requests that get no response
	Down    bool    `json:"down"`
}

// parse reads the options: faults from the arguments, the rest from the environment, as make passes them.
func parse(args []string, getenv func(string) string, stderr io.Writer) (options, error) {
	o := options{
		port: 8100, app: cmp.Or(getenv("APP_CLIENT_ID"), "sandbox-app"), data: getenv("DATA"), credentials: map[string]string{},
	}
	if text := getenv("PORT"); text != "" {
		port, err := strconv.Atoi(text)
		if err != nil || port < 1024 || port > 65534 {
			return o, fmt.Errorf("PORT is %q; want a number from 1024 to 65534", text)
		}
		o.port = port
	}
	for _, c := range contract.Credentials { // from where make deploy takes them
		if value := getenv(c.Variable); value != "" {
			o.credentials[c.Field] = value
		}
	}
	switch text := getenv("PROVIDER"); text {
	case "", "sandbox":
	case "context":
		o.context = true
	default:
		return o, fmt.Errorf("PROVIDER is %q; want context, for the provider in cdk.context.json, or nothing", text)
	}
	if err := checkData(o.data); err != nil {
		return o, err
	}
	flags := flag.NewFlagSet("sandbox", flag.ContinueOnError)
	flags.SetOutput(stderr)
	latency := flags.Duration("latency", 0, "how long the provider takes for each introspection, such as 300ms")
	flags.Func("stall", "share of introspections that get no response, such as 1%", func(text string) error {
		share, err := percent(text)
		o.faults.Stall = share
		return err
	})
	flags.Func("c", "key=value of the CDK context, wins over its files", func(text string) error {
		o.assignments = append(o.assignments, text)
		return nil
	})
	flags.BoolVar(&o.faults.Down, "down", false, "the provider closes the connection of each introspection")
	err := flags.Parse(args)
	o.faults.Latency = latency.Milliseconds()
	switch {
	case err != nil:
	case flags.NArg() > 0:
		err = fmt.Errorf("got %q; want -latency, -stall, -down or -c key=value", flags.Arg(0))
	case *latency < 0 || *latency > time.Minute:
		err = fmt.Errorf("-latency is %s; want a time up to a minute", *latency)
	case o.context && o.faults != faults{}:
		err = errors.New("-latency, -stall and -down are for the sandbox's own provider; leave out PROVIDER")
	}
	return o, err
}

// percent reads a share of the form 1% as 0.01.
func percent(text string) (float64, error) {
	var n float64
	if _, err := fmt.Sscanf(text, "%g%%", &n); err != nil || n < 0 || n > 100 {
		return 0, errors.New("want a share such as 1%")
	}
	return n / 100, nil
}

// checkData wants a directory with records. What is in its files, the servers read.
func checkData(dir string) error {
	if dir == "" {
		return nil
	}
	const want = "want a directory with .ndjson files, or .json files with a resource or a bundle each"
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("DATA is %q, which cannot be read; %s", dir, want)
	}
	for _, entry := range entries {
		if extension := filepath.Ext(entry.Name()); extension == ".ndjson" || extension == ".json" {
			return nil
		}
	}
	return fmt.Errorf("DATA is %q, which has no such file; %s", dir, want)
}
