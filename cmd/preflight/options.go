package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
)

// maxToken is far above what any header could carry.
const maxToken = 64 << 10

// options are those of the command line.
type options struct {
	dir           string
	json          bool
	write         bool
	trustNewHosts bool
	offline       bool
	fromLambda    bool
	tokenStdin    bool
	endpoint      string
	calls         int
	assignments   []string
}

func (p process) parse(args []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("preflight", flag.ContinueOnError)
	flags.SetOutput(p.stderr)
	flags.StringVar(&o.dir, "dir", ".", "the project's folder")
	flags.BoolVar(&o.json, "json", false, "print one JSON object")
	flags.BoolVar(&o.write, "write", false, "first fill in the endpoints in cdk.context.json from the provider's discovery document")
	flags.BoolVar(&o.trustNewHosts, "trust-new-hosts", false,
		"with --write: send credentials and the token also to a host that only the document names")
	flags.BoolVar(&o.offline, "offline", false, "check only what needs no network")
	flags.BoolVar(&o.fromLambda, "from-lambda", false, "have the deployed function say whether it reaches the provider, and nothing else")
	flags.BoolVar(&o.tokenStdin, "token-stdin", false, "read an access token from standard input and show the response that HealthLake would get")
	flags.StringVar(&o.endpoint, "datastore-endpoint", "", "the datastore's endpoint, for --token-stdin")
	flags.IntVar(&o.calls, "calls", 20, "`number` of introspection calls to time")
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
			return fmt.Errorf("%q is not an option", flags.Arg(0))
		case o.calls < 1 || o.calls > 1000:
			return errors.New("--calls must be from 1 to 1000")
		case o.offline && o.write:
			return errors.New("--write needs the network")
		case o.trustNewHosts && !o.write:
			return errors.New("--trust-new-hosts is for --write")
		case o.fromLambda && (o.offline || o.write || o.tokenStdin):
			return errors.New("--from-lambda goes with none of --offline, --write and --token-stdin")
		case o.offline && o.tokenStdin:
			return errors.New("--token-stdin needs the network")
		}
		return nil
	}()
	if err != nil {
		p.complain(err)
	}
	return o, err
}

func readToken(r io.Reader) (string, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxToken+1))
	if err != nil {
		return "", fmt.Errorf("reading the token: %w", err)
	}
	token := strings.TrimSpace(string(text))
	if token == "" || len(text) > maxToken || strings.ContainsAny(token, " \t\r\n") {
		return "", errors.New("--token-stdin needs one token on standard input")
	}
	return token, nil
}
