package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
	"text/tabwriter"

	"golang.org/x/sync/errgroup"

	"healthlake-smart-on-fhir/internal/config"
	"healthlake-smart-on-fhir/internal/contract"
	"healthlake-smart-on-fhir/internal/reason"
	"healthlake-smart-on-fhir/local/functionbinary"
)

const datastoreID = "0123456789abcdef0123456789abcdef"

// settings is what the programs of local/smart get.
type settings struct {
	Port           int                  `json:"port"`
	Base           string               `json:"base"`             // FHIR base URL
	Issuer         string               `json:"issuer,omitempty"` // of the sandbox's provider; empty where there is another
	DatastoreID    string               `json:"datastoreId"`
	InvokeURL      string               `json:"invokeURL"`
	Templates      string               `json:"templates"` // directory of the synthesized stacks
	Context        map[string]any       `json:"context"`
	ResourceServer client               `json:"resourceServer"`
	Reasons        map[string]reasonRow `json:"reasons"`
	AppClientID    string               `json:"appClientId"`
	Data           string               `json:"data,omitempty"`
	Faults         faults               `json:"faults"`
}

// client is the function's own client at the provider.
type client struct {
	ID     string `json:"id"`
	Secret string `json:"secret"`
}

type reasonRow struct {
	Meaning string `json:"meaning"`
	Fix     string `json:"fix"`
}

// run starts everything, prints the table and waits for the end.
func run(ctx context.Context, root string, o options, stdout, stderr io.Writer) (err error) {
	if err := checkPorts(o); err != nil {
		return err
	}
	s := settings{
		Port: o.port, Base: origin(o.port) + "/datastore/" + datastoreID + "/r4/", DatastoreID: datastoreID, AppClientID: o.app, Data: o.data, Faults: o.faults,
		ResourceServer: client{"sandbox-function", rand.Text()}, Reasons: reasons(),
	}
	if !o.context {
		s.Issuer = origin(o.port+1) + "/"
	}
	cfg, err := s.readContext(root, o.assignments)
	if err != nil {
		return err
	}
	if s.Issuer != "" {
		o.credentials = map[string]string{contract.ClientSecret.Field: s.ResourceServer.Secret}
	}
	if err := checkNode(ctx); err != nil {
		return err
	}
	programs := []string{"healthlake/main.js"}
	if s.Issuer != "" {
		programs = append(programs, "provider/main.js")
	}
	var nodes []*node
	defer func() {
		for _, n := range nodes {
			err = errors.Join(err, n.stop())
		}
	}()
	ended := make(chan error, len(programs))
	for _, program := range programs { // they load their libraries while the function is built
		n, err := startNode(root, program, stdout, stderr, ended)
		if err != nil {
			return err
		}
		nodes = append(nodes, n)
	}

	var bootstrap string
	var preparing errgroup.Group
	preparing.Go(func() (err error) { bootstrap, err = functionbinary.Build(); return err })
	preparing.Go(func() (err error) { s.Templates, err = synthesize(ctx, root, s.Context, stderr); return err })
	if err := preparing.Wait(); err != nil {
		return err
	}
	functions, err := startFunctions(ctx, bootstrap, cfg, o.credentials)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, functions.stop()) }()
	s.InvokeURL = functions.url
	line, err := s.line()
	if err != nil {
		return err
	}
	for _, n := range nodes {
		if err := n.settle(ctx, line); err != nil {
			return err
		}
	}
	table(stdout, s, cfg)
	select {
	case <-ctx.Done():
		return nil
	case err := <-ended:
		return err
	}
}

func origin(port int) string { return "http://127.0.0.1:" + strconv.Itoa(port) }

// checkPorts finds out early that a port is taken.
func checkPorts(o options) error {
	ports := []int{o.port, o.port + 1}
	if o.context {
		ports = ports[:1]
	}
	for _, port := range ports {
		listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			return fmt.Errorf("port %d is taken; choose two others with PORT, for example: make sandbox PORT=%d", port, o.port+100)
		}
		if err := listener.Close(); err != nil {
			return err
		}
	}
	return nil
}

func reasons() map[string]reasonRow {
	rows := map[string]reasonRow{}
	for _, r := range reason.All() {
		rows[r.Word] = reasonRow{Meaning: r.Plain(), Fix: r.Fix}
	}
	return rows
}

// table prints where everything is.
func table(w io.Writer, s settings, cfg config.Config) {
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	row := func(what, where string) { fmt.Fprintf(t, "  %s\t%s\n", what, where) }
	fmt.Fprintln(t)
	row("demo SMART app", origin(s.Port)+"/app/")
	row("launch from an EHR", origin(s.Port)+"/launch")
	row("requests", origin(s.Port)+"/requests")
	row("FHIR base URL", s.Base)
	if s.Issuer != "" {
		row("provider (issuer)", s.Issuer)
		row("client of apps", "sandbox-app: public, PKCE, any redirect to localhost or 127.0.0.1")
		row("client of backends", "sandbox-backend, secret sandbox-secret: client credentials, system/ scopes")
	} else {
		row("provider", cfg.AuthEndpoint)
	}
	_ = t.Flush()
	fmt.Fprintf(w, "\nReady. Open the app; Ctrl-C ends everything. Each request is a line here:\n\n")
}

// invocations is the path of Lambda's Invoke API.
func invocations(function string) string {
	return "/2015-03-31/functions/" + url.PathEscape(function) + "/invocations"
}

func (s settings) line() ([]byte, error) {
	line, err := json.Marshal(s)
	return append(line, '\n'), err
}
