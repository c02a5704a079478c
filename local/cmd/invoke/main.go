// Command invoke runs one event file against the function, which it builds and runs as the demo does, and prints the
// function's answer, its log and the time it took. A placeholder in the place of the token, such as "<valid>", is
// replaced by a token of the local identity provider. An error of the function's is an answer too: the exit code is 0.
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
	"path/filepath"
	"syscall"
	"time"

	"healthlake-smart-on-fhir/internal/contract"
	"healthlake-smart-on-fhir/local/build"
	"healthlake-smart-on-fhir/local/sandbox"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	if ctx.Err() != nil {
		err = errors.New("interrupted")
	}
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "invoke:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) (err error) {
	if len(args) != 1 || args[0] == "" {
		return errors.New("wants one event file: make invoke EVENT=events/search.json")
	}
	event, err := readEvent(args[0])
	if err != nil {
		return err
	}
	root, err := build.Root()
	if err != nil {
		return err
	}
	bootstrap, err := build.Function(ctx, filepath.Join(root, "local", ".cache"))
	if err != nil {
		return err
	}
	box, err := sandbox.Start(ctx, sandbox.Config{
		Bootstrap: bootstrap,
		Configure: func(d *contract.Document, _ map[string]string) { d.LambdaEnhancedLogging = true },
	})
	if err != nil {
		return err
	}
	defer func() {
		if stopErr := box.Stop(); err == nil {
			err = stopErr
		}
	}()
	if event, err = box.Fill(ctx, event); err != nil {
		return fmt.Errorf("%s: %w", args[0], err)
	}
	result, err := box.Function.Invoke(ctx, event)
	if err != nil {
		return err
	}
	title := "Answer"
	if result.FunctionError != nil {
		title = "Error"
	}
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, result.Payload, "", "  "); err != nil {
		return fmt.Errorf("the answer is not JSON: %w", err)
	}
	fmt.Fprintf(out, "%s after %.1f ms of %d:\n%s\n\n", title, float64(result.Duration.Microseconds())/1000,
		sandbox.Budget.Milliseconds(), pretty.Bytes())

	waitCtx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if _, err := box.Function.AwaitLog(waitCtx, result.RequestID); err != nil {
		return err
	}
	fmt.Fprintln(out, "Log, with lambdaEnhancedLogging on:")
	for _, line := range box.Function.Logs() {
		fmt.Fprintln(out, line)
	}
	return nil
}

// readEvent reads a file that holds one JSON value: more Lambda does not ask of an event.
func readEvent(path string) ([]byte, error) {
	event, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s does not exist; EVENT=... wants one of events/*.json or a file of yours", path)
	} else if err != nil {
		return nil, err
	}
	var value any
	if err := json.Unmarshal(event, &value); err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			line := 1 + bytes.Count(event[:syntax.Offset], []byte("\n"))
			return nil, fmt.Errorf("%s is not JSON: line %d: %w", path, line, err)
		}
		return nil, fmt.Errorf("%s is not JSON: %w", path, err)
	}
	return event, nil
}
