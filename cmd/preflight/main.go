// Command preflight checks the configuration against the real identity provider and AWS account before anything is
// deployed, and prints a checklist. docs/preflight.md is its manual.
package main

import (
	"context"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	"healthlake-smart-on-fhir/cmd/preflight/internal/account"
	"healthlake-smart-on-fhir/cmd/preflight/internal/cdkcontext"
	"healthlake-smart-on-fhir/cmd/preflight/internal/checklist"
	"healthlake-smart-on-fhir/cmd/preflight/internal/provider"
	"healthlake-smart-on-fhir/internal/config"
)

// Exit statuses.
const (
	statusOK     = 0 // nothing failed
	statusFailed = 1
	statusUsage  = 2
)

// maxToken is far above what any header could carry.
const maxToken = 64 << 10

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	status := process{environ: os.Environ(), getenv: os.Getenv, stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr}.
		run(ctx, os.Args[1:])
	stop()
	os.Exit(status)
}

// process is what the command gets from outside.
type process struct {
	environ        []string
	getenv         func(string) string
	stdin          io.Reader
	stdout, stderr io.Writer
}

// options are the command line's.
type options struct {
	dir         string
	json        bool
	write       bool
	offline     bool
	tokenStdin  bool
	endpoint    string
	calls       int
	assignments []string
}

func (p process) parse(args []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("preflight", flag.ContinueOnError)
	flags.SetOutput(p.stderr)
	flags.StringVar(&o.dir, "dir", ".", "the project's folder")
	flags.BoolVar(&o.json, "json", false, "print one JSON object")
	flags.BoolVar(&o.write, "write", false, "first fill the endpoints in cdk.context.json in from the provider's discovery document")
	flags.BoolVar(&o.offline, "offline", false, "check only what needs no network")
	flags.BoolVar(&o.tokenStdin, "token-stdin", false, "read an access token from standard input and show what HealthLake would get")
	flags.StringVar(&o.endpoint, "datastore-endpoint", "", "the datastore's endpoint, for --token-stdin")
	flags.IntVar(&o.calls, "calls", 20, "how many introspection calls are timed")
	flags.Func("c", "`key=value` of the context, as for cdk; may be given several times", func(s string) error {
		o.assignments = append(o.assignments, s)
		return nil
	})
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	err := func() error {
		switch {
		case flags.NArg() > 0:
			return fmt.Errorf("%q is no option", flags.Arg(0))
		case o.calls < 1 || o.calls > 1000:
			return errors.New("--calls is a number from 1 to 1000")
		case o.offline && o.write:
			return errors.New("--write needs the network")
		case o.offline && o.tokenStdin:
			return errors.New("--token-stdin needs the network")
		}
		return nil
	}()
	if err != nil {
		fmt.Fprintln(p.stderr, "preflight:", err)
	}
	return o, err
}

// run is the command. It returns the exit status.
func (p process) run(ctx context.Context, args []string) int {
	o, err := p.parse(args)
	if errors.Is(err, flag.ErrHelp) {
		return statusOK
	}
	if err != nil {
		return statusUsage
	}
	values, err := cdkcontext.Read(o.dir, o.assignments)
	if err != nil {
		fmt.Fprintln(p.stderr, "preflight:", err)
		return statusUsage
	}
	token := ""
	if o.tokenStdin {
		if token, err = readToken(p.stdin); err != nil {
			fmt.Fprintln(p.stderr, "preflight:", err)
			return statusUsage
		}
	}

	var l checklist.List
	var changes []string
	if o.write {
		if changes, err = write(ctx, o, values, &l); err != nil {
			fmt.Fprintln(p.stderr, "preflight:", err)
			return statusUsage
		}
	}
	answer := p.check(ctx, o, values, token, &l)

	if o.json {
		err = l.JSON(p.stdout, changes, answer)
	} else {
		err = print(p.stdout, l, changes, answer)
	}
	if err != nil {
		fmt.Fprintln(p.stderr, "preflight:", err)
		return statusFailed
	}
	if l.Worst() == checklist.Failed {
		return statusFailed
	}
	return statusOK
}

func readToken(r io.Reader) (string, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxToken+1))
	if err != nil {
		return "", fmt.Errorf("reading the token: %w", err)
	}
	token := strings.TrimSpace(string(text))
	if token == "" || len(text) > maxToken || strings.ContainsAny(token, " \t\r\n") {
		return "", errors.New("--token-stdin wants one token on standard input")
	}
	return token, nil
}

// check fills the checklist and returns what HealthLake would get for the token, nil where there is none.
func (p process) check(ctx context.Context, o options, values map[string]any, token string, l *checklist.List) []byte {
	cfg, problems := config.Parse(values)
	for _, problem := range problems {
		add := l.Fail
		if problem.Warning {
			add = l.Warn
		}
		reason, mend := "got "+problem.Got, "want "+problem.Want
		if problem.Got == config.UnknownKey {
			reason, mend = config.UnknownKey, "did you mean "+problem.Want+"?"
		}
		add("context "+problem.Key, reason, mend)
	}
	if config.HasErrors(problems) {
		skipAll(l, "the context has errors")
		return nil
	}
	if len(problems) == 0 {
		l.OK("context", "valid")
	}
	metadata(cfg, l)
	if o.offline {
		provider.Offline(l, "offline")
		account.Offline(l, "offline")
		return nil
	}
	roots, err := readRoots(o.dir, cfg.AuthCABundle)
	if err != nil {
		l.Fail("context authCaBundle", err.Error(), "correct authCaBundle")
		provider.Offline(l, "authCaBundle cannot be used")
		account.Check(ctx, cfg, p.environ, qualifier(values), l)
		return nil
	}
	idp := provider.New(cfg, provider.SecretsFrom(p.getenv), roots, o.calls)
	idp.Check(ctx, l)
	var answer []byte
	if token != "" {
		endpoint := o.endpoint
		if endpoint == "" {
			endpoint = fmt.Sprintf("https://healthlake.%s.amazonaws.com/datastore/<id>/r4/", cfg.Region)
		}
		answer = idp.Token(ctx, token, endpoint, time.Now(), l)
	}
	account.Check(ctx, cfg, p.environ, qualifier(values), l)
	return answer
}

func skipAll(l *checklist.List, reason string) {
	l.Skip("SMART metadata", reason)
	provider.Offline(l, reason)
	account.Offline(l, reason)
}

// metadata is about the discovery document that the stacks would deploy. A context without errors gives one that is valid.
func metadata(cfg config.Config, l *checklist.List) {
	const check = "SMART metadata"
	warnings := cfg.SMARTWarnings()
	for _, w := range warnings {
		l.Warn(check, w.Key+": got "+w.Got, "want "+w.Want)
	}
	if len(warnings) == 0 {
		l.OK(check, fmt.Sprintf("valid for SMART App Launch 2.2 and HealthLake, %d bytes", len(cfg.Metadata())))
	}
}

// readRoots reads the authorities that the provider's certificate is checked against, nil for the system's.
func readRoots(dir, bundle string) (*x509.CertPool, error) {
	if bundle == "" {
		return nil, nil
	}
	if !filepath.IsAbs(bundle) {
		bundle = filepath.Join(dir, bundle)
	}
	pem, err := os.ReadFile(bundle)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate", bundle)
	}
	return roots, nil
}

// qualifier is the name of the CDK's bootstrap in the account; the CDK has this default and this key for another one.
func qualifier(values map[string]any) string {
	if s, ok := values["@aws-cdk/core:bootstrapQualifier"].(string); ok && s != "" {
		return s
	}
	return "hnb659fds"
}
