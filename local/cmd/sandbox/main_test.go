package main

import (
	"io"
	"net"
	"reflect"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for _, test := range []struct {
		args []string
		env  map[string]string
		want options
		fail string // part of the error
	}{
		{want: options{app: "sandbox-app", port: 8100}},
		{env: map[string]string{"PORT": "8200"}, want: options{app: "sandbox-app", port: 8200}},
		{env: map[string]string{"PORT": "80"}, fail: `PORT is "80"`},
		{env: map[string]string{"PORT": "x"}, fail: `PORT is "x"`},
		{env: map[string]string{"PROVIDER": "context"}, want: options{app: "sandbox-app", port: 8100, context: true}},
		{env: map[string]string{"PROVIDER": "mine"}, fail: `PROVIDER is "mine"`},
		{env: map[string]string{"DATA": "/nowhere"}, fail: `DATA is "/nowhere", which cannot be read`},
		{env: map[string]string{"DATA": "."}, fail: "has no such file; want a directory with .ndjson files"},
		{args: []string{"--latency", "300ms", "--stall", "1%"}, want: options{app: "sandbox-app", port: 8100, faults: faults{Latency: 300, Stall: 0.01}}},
		{args: []string{"--down"}, want: options{app: "sandbox-app", port: 8100, faults: faults{Down: true}}},
		{args: []string{"-c", "env=dev", "-c", "a=b"}, want: options{app: "sandbox-app", port: 8100, assignments: []string{"env=dev", "a=b"}}},
		{env: map[string]string{"CLIENT_SECRET": "s", "CLIENT_PRIVATE_KEY": "k"}, want: options{app: "sandbox-app", port: 8100,
			credentials: map[string]string{"client_secret": "s", "client_private_key": "k"}}},
		{args: []string{"--latency", "2h"}, fail: "up to a minute"},
		{args: []string{"--stall", "1"}, fail: "such as 1%"},
		{args: []string{"--stall", "101%"}, fail: "such as 1%"},
		{args: []string{"down"}, fail: `got "down"`},
		{args: []string{"--down"}, env: map[string]string{"PROVIDER": "context"}, fail: "leave out PROVIDER"},
	} {
		if test.want.credentials == nil {
			test.want.credentials = map[string]string{}
		}
		got, err := parse(test.args, func(name string) string { return test.env[name] }, io.Discard)
		switch {
		case test.fail == "" && (err != nil || !reflect.DeepEqual(got, test.want)):
			t.Errorf("%v %v: got %+v, %v, want %+v", test.args, test.env, got, err, test.want)
		case test.fail != "" && (err == nil || !strings.Contains(err.Error(), test.fail)):
			t.Errorf("%v %v: got the error %v, want %q in it", test.args, test.env, err, test.fail)
		}
	}
}

func TestTakenPort(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	taken := listener.Addr().(*net.TCPAddr).Port
	if err := checkPorts(options{port: taken}); err == nil || !strings.Contains(err.Error(), "choose two others with PORT") {
		t.Errorf("got %v for a port that is taken", err)
	}
}
