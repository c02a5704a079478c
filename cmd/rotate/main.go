// Command rotate puts a new credential of the identity provider into the deployment's secret, and waits until the function
// uses it. It changes one field and leaves the others as they are.
//
//	CLIENT_SECRET=… rotate [-c key=value]…
//
// SRV_API_KEY and CLIENT_PRIVATE_KEY work likewise. Before it writes, it asks the provider whether it accepts the credential;
// UNCHECKED=yes goes on where the provider does not respond to this machine. Nothing that is printed holds a credential.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"healthlake-smart-on-fhir/internal/cdkcontext"
	"healthlake-smart-on-fhir/internal/clientauth"
	"healthlake-smart-on-fhir/internal/config"
	"healthlake-smart-on-fhir/internal/contract"
	"healthlake-smart-on-fhir/internal/secret"
	"healthlake-smart-on-fhir/internal/terminal"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := process{getenv: os.Getenv, stdout: os.Stdout, after: time.After}.run(ctx, os.Args[1:])
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, terminal.Lines("rotate: "+err.Error()))
		os.Exit(1)
	}
}

// process is what the command gets from outside.
type process struct {
	getenv func(string) string
	stdout io.Writer
	after  func(time.Duration) <-chan time.Time
}

// settling is how long it takes until every instance of the function has read a new value, with some seconds for the
// reading itself.
const settling = secret.MaxAge + 5*time.Second

func (p process) run(ctx context.Context, args []string) error {
	dir, cfg, err := p.read(args)
	if err != nil {
		return err
	}
	changed := p.changes()
	if len(changed) == 0 {
		return errors.New("nothing to change: give the new value, for example CLIENT_SECRET=… make rotate (or SRV_API_KEY, " +
			"CLIENT_PRIVATE_KEY)")
	}
	if cfg.TokenValidation == config.TokenValidationJWT {
		return errors.New("tokenValidation is jwt: the function shows no credential to the provider")
	}
	d, err := open(ctx, cfg)
	if err != nil {
		return err
	}
	document, version, err := d.document(ctx)
	if err != nil {
		return err
	}
	what, text, err := amend(document, changed)
	if err != nil {
		return err
	}
	if what == "" {
		p.say("The secret %s has this value already. Nothing was changed.", cfg.SecretName)
		return nil
	}
	if err := checkUsed(cfg.IntrospectionAuth, text, changed); err != nil {
		return err
	}
	if err := p.try(ctx, dir, cfg, text, what); err != nil {
		return err
	}
	if err := d.write(ctx, text, version); err != nil {
		return err
	}
	p.say("Changed %s in the secret %s; the other fields are as they were.", what, cfg.SecretName)
	return p.settle(ctx, d, what)
}

// amend puts new values into a document. what names the fields that are different now.
func amend(document map[string]json.RawMessage, changed map[string]string) (what string, text []byte, err error) {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(changed)) {
		var before string
		if json.Unmarshal(document[name], &before) == nil && before == changed[name] {
			continue
		}
		if document[name], err = json.Marshal(changed[name]); err != nil {
			return "", nil, err
		}
		names = append(names, name)
	}
	text, err = json.Marshal(document)
	return strings.Join(names, ", "), text, err
}

// checkUsed fails for a credential that the function would not show to the provider: nobody could say whether it works.
func checkUsed(method clientauth.Method, text []byte, changed map[string]string) error {
	var document contract.Document
	_ = json.Unmarshal(text, &document) // what is wrong with it is found when it is tried
	method = method.Resolve(document.APIKey != "", document.ClientSecret != "")
	needs := map[string]clientauth.Need{
		contract.ClientSecret.Field:     method.NeedsClientSecret(),
		contract.APIKey.Field:           method.NeedsAPIKey(),
		contract.ClientPrivateKey.Field: method.NeedsPrivateKey(),
	}
	for _, name := range slices.Sorted(maps.Keys(changed)) {
		if needs[name] == clientauth.Unused {
			return fmt.Errorf("the function authenticates by %s (%s), which does not use %s, so nothing was changed; leave that out",
				method, config.KeyIntrospectionAuth, name)
		}
	}
	return nil
}

// read reads the context.
func (p process) read(args []string) (dir string, cfg config.Config, err error) {
	var assignments []string
	flags := flag.NewFlagSet("rotate", flag.ContinueOnError)
	flags.StringVar(&dir, "dir", ".", "the project's folder")
	flags.Func("c", "`key=value` of the context, as for cdk; may be given several times", func(s string) error {
		assignments = append(assignments, s)
		return nil
	})
	if err := flags.Parse(args); err != nil {
		return "", cfg, err
	}
	project, err := cdkcontext.Read(dir, assignments)
	if err != nil {
		return "", cfg, err
	}
	cfg, problems := config.Parse(project.Values, project.Others...)
	for _, problem := range problems {
		if !problem.Warning {
			return "", cfg, fmt.Errorf("%s; make preflight shows all problems", problem)
		}
	}
	return dir, cfg, nil
}

// changes are the fields of the secret that get a new value, by name.
func (p process) changes() map[string]string {
	changed := map[string]string{}
	for _, c := range contract.Credentials {
		if value := p.getenv(c.Variable); value != "" {
			changed[c.Field] = value
		}
	}
	return changed
}

// try asks the provider about a made-up token with the new document, as the function would.
func (p process) try(ctx context.Context, dir string, cfg config.Config, text []byte, what string) error {
	bundle := cfg.AuthCABundle
	if bundle != "" && !filepath.IsAbs(bundle) {
		bundle = filepath.Join(dir, bundle)
	}
	silent, err := tryDocument(ctx, cfg, bundle, text)
	switch {
	case err == nil:
		p.say("The provider accepts the new %s.", what)
	case !silent:
		return fmt.Errorf("the new %s does not work, so nothing was changed: %w", what, err)
	case p.getenv("UNCHECKED") == "yes":
		p.say("The new %s could not be tried at the provider: %v", what, err)
	default:
		return fmt.Errorf("the provider could not be asked about the new %s, so nothing was changed: %w; if only the function "+
			"can reach the provider, run this again with UNCHECKED=yes", what, err)
	}
	return nil
}

// settle waits until every instance has the new value, and has the function use it.
func (p process) settle(ctx context.Context, d deployment, what string) error {
	p.say("Waiting %d seconds, until every instance of %s has read it …", int(settling.Seconds()), d.function)
	select {
	case <-p.after(settling):
	case <-ctx.Done():
		return fmt.Errorf("stopped before that; the new %s is in the secret, so keep the old one for %d seconds", what,
			int(settling.Seconds()))
	}
	switch reason, err := d.invoke(ctx); {
	case err != nil:
		p.say("The function could not be tried: %v", err)
	case reason != "":
		return fmt.Errorf("the function reports %s; keep the old %s, and see docs/reference/reasons.md. The secret's value of "+
			"before is its version AWSPREVIOUS", reason, what)
	default:
		p.say("The function asked the provider with it, and was accepted.")
	}
	p.say("\nThe old %s may be withdrawn at the provider now.\nSo that no later deploy writes the old one back:", what)
	p.advise(d.cfg)
	return nil
}

// advise says where else the new values belong. A deploy takes a credential from the context, and from the environment only where
// the context has none.
func (p process) advise(cfg config.Config) {
	inContext := map[string]string{contract.ClientSecret.Key: cfg.ClientSecret, contract.APIKey.Key: cfg.SrvAPIKey}
	var variables []string
	for _, c := range contract.Credentials {
		switch {
		case p.getenv(c.Variable) == "":
		case inContext[c.Key] != "":
			p.say("  change %s in the context, or the secret that it refers to", c.Key)
		default:
			variables = append(variables, c.Variable+"=…")
		}
	}
	if len(variables) > 0 {
		p.say("  %s make deploy%s", strings.Join(variables, " "), environment(cfg.Env))
	}
}

// environment is how make is told of one.
func environment(name string) string {
	if name == "" {
		return ""
	}
	return " ENV=" + name
}

func (p process) say(format string, args ...any) {
	fmt.Fprintln(p.stdout, terminal.Lines(fmt.Sprintf(format, args...)))
}
