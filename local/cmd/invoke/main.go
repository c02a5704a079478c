// Command invoke runs one event file against the function in a sandbox, and prints the function's response, its log and the
// time it took. A placeholder in the place of the token, such as "<valid>", is replaced by a token of the local identity
// provider. An error that the function reports is printed, too: the exit code is 0.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"syscall"

	"healthlake-smart-on-fhir/local/sandbox"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "invoke:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) (err error) {
	if len(args) != 1 || args[0] == "" {
		return errors.New("want one event file: make invoke EVENT=events/search.json")
	}
	event, err := readEvent(args[0])
	if err != nil {
		return err
	}
	box, err := sandbox.Start(ctx, func(s *sandbox.Sandbox) { s.Document.LambdaEnhancedLogging = true })
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, box.Stop()) }()
	filled, err := box.Fill(ctx, event)
	if err != nil {
		return fmt.Errorf("%s: %w", args[0], err)
	}
	foreign := bytes.Equal(filled, event) && hasToken(event)
	event = filled
	result, err := box.Function.Invoke(ctx, event)
	if err != nil {
		return err
	}
	title := "Response"
	if result.FunctionError != nil {
		title = "Error"
	}
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, result.Payload, "", "  "); err != nil {
		return fmt.Errorf("the response is not JSON: %w", err)
	}
	fmt.Fprintf(out, "%s after %.1f ms of %d:\n%s\n\n", title, float64(result.Duration.Microseconds())/1000,
		sandbox.TimeLimit.Milliseconds(), &pretty)
	if _, err := box.LogLine(ctx, result.RequestID); err != nil {
		return err
	}
	fmt.Fprintln(out, "Log, with lambdaEnhancedLogging on:")
	for _, line := range box.Function.Logs() {
		fmt.Fprintln(out, line)
	}
	if foreign {
		fmt.Fprint(out, "\nOnly the local identity provider was asked, and it did not issue this token. To ask yours:\n"+
			"  make preflight ARGS=--token-stdin < token.txt\n")
	}
	return nil
}

// hasToken tells whether an event has a token.
func hasToken(event []byte) bool {
	var fields struct{ BearerToken string }
	return json.Unmarshal(event, &fields) == nil && fields.BearerToken != ""
}

// readEvent reads a file that holds one JSON value. Lambda asks no more of an event.
func readEvent(path string) ([]byte, error) {
	event, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s does not exist; EVENT=... must be one of events/*.json or a file of yours", path)
	} else if err != nil {
		return nil, err
	}
	var value any
	var syntax *json.SyntaxError
	if err := json.Unmarshal(event, &value); errors.As(err, &syntax) {
		return nil, fmt.Errorf("%s is not JSON: line %d: %w", path, 1+bytes.Count(event[:syntax.Offset], []byte("\n")), err)
	}
	return event, nil
}
