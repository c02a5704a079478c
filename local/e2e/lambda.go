package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"healthlake-smart-on-fhir/local/e2e/internal/awslocal"
	"healthlake-smart-on-fhir/local/runtimeapi"
)

// lambda is what the local AWS lacks of Lambda: it runs functions, and sends what they log to CloudWatch Logs.
type lambda struct {
	url    string
	aws    *awslocal.Server
	server *http.Server

	mu        sync.Mutex
	functions map[string]*logged
}

// logged is a running function, and how many of its lines CloudWatch Logs has.
type logged struct {
	*runtimeapi.Function
	stream string
	sent   int
}

// newLambda listens on a free port. It can run functions when it knows the local AWS.
func newLambda() (*lambda, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	l := &lambda{url: "http://" + listener.Addr().String(), functions: map[string]*logged{}}
	l.server = &http.Server{Handler: l, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = l.server.Serve(listener) }() // ends with close
	return l, nil
}

func (l *lambda) close() { _ = l.server.Close() }

// run has calls of the function with this name go to f from now on.
func (l *lambda) run(ctx context.Context, name string, f *runtimeapi.Function) error {
	stream := time.Now().UTC().Format("2006/01/02/") + "[1]" + strings.ToLower(name)
	err := l.aws.JSON(ctx, "logs", "Logs_20140328.CreateLogStream",
		map[string]string{"logGroupName": logGroup(name), "logStreamName": stream}, nil)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.functions[name] = &logged{Function: f, stream: stream}
	return nil
}

func logGroup(function string) string { return "/aws/lambda/" + function }

// ServeHTTP calls the function that the path names.
func (l *lambda) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	name := strings.TrimPrefix(r.URL.Path, "/")
	f, ok := l.functions[name]
	if !ok {
		http.Error(w, "no such function runs", http.StatusNotFound)
		return
	}
	payload, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	result, err := f.Invoke(r.Context(), payload)
	if err == nil {
		err = l.ship(r.Context(), name, result.RequestID, f)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	if result.FunctionError != nil {
		w.Header().Set("X-Amz-Function-Error", "Unhandled")
	}
	_, _ = w.Write(result.Payload)
}

// ship sends the lines that have come until the one of this call, which may come a moment after its answer.
func (l *lambda) ship(ctx context.Context, name, requestID string, f *logged) error {
	wait, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if _, err := f.AwaitLog(wait, requestID); err != nil {
		return fmt.Errorf("the line of call %s: %w", requestID, err)
	}
	type event struct {
		Timestamp int64  `json:"timestamp"` // milliseconds
		Message   string `json:"message"`
	}
	var events []event
	for _, line := range f.Logs()[f.sent:] {
		events = append(events, event{time.Now().UnixMilli(), line})
	}
	f.sent += len(events)
	return l.aws.JSON(ctx, "logs", "Logs_20140328.PutLogEvents", map[string]any{
		"logGroupName": logGroup(name), "logStreamName": f.stream, "logEvents": events,
	}, nil)
}
