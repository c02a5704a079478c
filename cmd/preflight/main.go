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
	"net/netip"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"healthlake-smart-on-fhir/cmd/preflight/internal/account"
	"healthlake-smart-on-fhir/cmd/preflight/internal/checklist"
	"healthlake-smart-on-fhir/cmd/preflight/internal/inside"
	"healthlake-smart-on-fhir/cmd/preflight/internal/provider"
	"healthlake-smart-on-fhir/internal/cdkcontext"
	"healthlake-smart-on-fhir/internal/config"
	"healthlake-smart-on-fhir/internal/httpclient"
	"healthlake-smart-on-fhir/internal/terminal"
)

// Exit statuses.
const (
	statusOK     = 0 // nothing failed
	statusFailed = 1
	statusUsage  = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	status := process{getenv: os.Getenv, stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr}.
		run(ctx, os.Args[1:])
	stop()
	os.Exit(status)
}

// process is what the command gets from outside.
type process struct {
	getenv         func(string) string
	stdin          io.Reader
	stdout, stderr io.Writer
	reach          func(netip.Addr) provider.Reach // nil: the addresses' own
}

// run runs the command and returns the exit status.
func (p process) run(ctx context.Context, args []string) int {
	o, err := p.parse(args)
	if errors.Is(err, flag.ErrHelp) {
		return statusOK
	}
	if err != nil {
		return statusUsage
	}
	project, err := cdkcontext.Read(o.dir, o.assignments)
	if err != nil {
		p.complain(err)
		return statusUsage
	}
	token := ""
	if o.tokenStdin {
		if token, err = readToken(p.stdin); err != nil {
			p.complain(err)
			return statusUsage
		}
	}

	var l checklist.List
	var w written
	if o.write {
		if w, err = p.write(ctx, o, &project, &l); err != nil {
			p.complain(err)
			return statusUsage
		}
	}
	response := p.check(ctx, o, project, token, w, &l)

	if o.json {
		err = l.JSON(p.stdout, w.changes, response)
	} else {
		err = print(p.stdout, l, w, response, o.nextStep(l, project.Environment))
	}
	if err != nil {
		p.complain(err)
		return statusFailed
	}
	if l.Worst() == checklist.Failed {
		return statusFailed
	}
	return statusOK
}

// complain prints an error. The names of files and of options in it may be anything.
func (p process) complain(err error) {
	fmt.Fprintln(p.stderr, terminal.Printable("preflight: "+err.Error()))
}

// check fills the checklist and returns the response that HealthLake would get for the token, nil if there is none.
func (p process) check(
	ctx context.Context, o options, project cdkcontext.Context, token string, w written, l *checklist.List,
) (response []byte) {
	cfg, roots, ok := contextRows(o.dir, project, l)
	if !ok {
		skipAll(l, "the context has errors")
		return nil
	}
	if o.fromLambda {
		if connection, problem := account.Open(ctx, cfg, l); problem == "" {
			inside.Check(ctx, connection, cfg, l)
		} else {
			l.Fail("function", "not called: "+problem, "use credentials of account "+cfg.Account+" that may invoke the function")
		}
		return nil
	}
	metadata(cfg, l)
	if o.offline {
		provider.Offline(l, "offline")
		account.Offline(l, "offline")
		return nil
	}
	response = p.checkProvider(ctx, o, cfg, roots, token, w, l)
	account.Check(ctx, cfg, qualifier(project.Values), l)
	return response
}

func (p process) checkProvider(
	ctx context.Context, o options, cfg config.Config, roots *x509.CertPool, token string, w written, l *checklist.List,
) (response []byte) {
	idp := provider.New(cfg, provider.Options{
		Secrets: provider.SecretsFrom(p.getenv), Roots: roots, Calls: o.calls, Reach: p.reach,
		Withhold: w.withhold(cfg.AuthEndpointIntrospect, o),
	})
	if reason := idp.OutOfReach(ctx); reason != "" {
		const short = "the provider is out of reach"
		l.Skip("provider", reason)
		provider.Offline(l, short)
		if token != "" {
			l.Skip("token", short)
		}
		return nil
	}
	idp.Check(ctx, l)
	if token != "" {
		endpoint := o.endpoint
		if endpoint == "" {
			endpoint = fmt.Sprintf("https://healthlake.%s.amazonaws.com/datastore/<id>/r4/", cfg.Region)
		}
		response = idp.Token(ctx, token, endpoint, time.Now(), l)
	}
	return response
}

// contextRows adds the rows about the context itself and the files that it names. ok is false if there are errors.
func contextRows(dir string, project cdkcontext.Context, l *checklist.List) (cfg config.Config, roots *x509.CertPool, ok bool) {
	cfg, problems := config.Parse(project.Values, project.Others...)
	for _, problem := range problems {
		add := l.Fail
		if problem.Warning {
			add = l.Warn
		}
		reason, fix := "got "+problem.Got, "want "+problem.Want
		if problem.Got == config.UnknownKey {
			reason, fix = config.UnknownKey, problem.Want
		}
		add("context "+problem.Key, reason, fix)
	}
	roots, err := readRoots(dir, cfg.AuthCABundle)
	if err != nil {
		l.Fail("context authCaBundle", err.Error(), "correct authCaBundle, the path of a PEM file")
	}
	if len(problems) == 0 && err == nil {
		l.OK("context", "valid")
	}
	return cfg, roots, !config.HasErrors(problems) && err == nil
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

// readRoots reads the certificate authorities that are trusted, nil for the system's.
func readRoots(dir, bundle string) (*x509.CertPool, error) {
	if bundle == "" {
		return nil, nil
	}
	if !filepath.IsAbs(bundle) {
		bundle = filepath.Join(dir, bundle)
	}
	return httpclient.ReadRoots(bundle)
}

// qualifier is the CDK's bootstrap qualifier; the default is the CDK's own.
func qualifier(values map[string]any) string {
	if s, ok := values["@aws-cdk/core:bootstrapQualifier"].(string); ok && s != "" {
		return s
	}
	return "hnb659fds"
}
