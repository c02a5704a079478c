// Command attack sends the built function what must not be authorized, and prints how often each attack was tried and
// authorized. It fails where a row was authorized that does not say why, and where a good token was refused in between.
//
//go:debug rsa1024min=0
package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"os"
	"sync"
	"text/tabwriter"
	"time"

	"healthlake-smart-on-fhir/local/idp"
	"healthlake-smart-on-fhir/local/sandbox"
)

type object = idp.Object

// group is the attacks on one part of the function.
type group struct {
	name     string
	run      func(*group)
	noErrors bool // an error instead of a denial is wrong, too
	call     func(item string) (authorized, failed bool)
	good     func() (authorized, failed bool) // a call with a good token
	rows     []row
	control  row // the good tokens
}

// row is one attack, which was tried several times.
type row struct {
	attack, why               string // why it is authorized; empty where it must not be
	tried, authorized, errors int
}

// try tries an attack with each item, and then a good token.
func (g *group) try(attack, why string, items ...string) {
	r := row{attack: attack, why: why}
	for _, item := range items {
		r.count(g.call(item))
	}
	g.rows = append(g.rows, r)
	g.control.count(g.good())
}

func (r *row) count(authorized, failed bool) {
	r.tried++
	if authorized {
		r.authorized++
	} else if failed {
		r.errors++
	}
}

// wrong says what is wrong with a row.
func (g *group) wrong(r row) string {
	switch {
	case r.tried == 0 || r.authorized > 0 && r.why == "":
		return "<-- must be tried, and never authorized"
	case r.authorized == 0 && r.why != "":
		return "<-- never authorized, so there is nothing to explain"
	case g.noErrors && r.errors > 0:
		return fmt.Sprintf("<-- %d errors", r.errors)
	}
	return ""
}

func main() {
	groups := []*group{
		{name: "JWT", run: attackTokens}, {name: "key set", run: attackKeySets}, {name: "introspection response", run: attackBodies},
		{name: "several issuers, JWT", run: attackIssuers(false), noErrors: true},
		{name: "several issuers, introspection", run: attackIssuers(true), noErrors: true},
		{name: "HTTP", run: attackFraming}, {name: "frozen process, plain HTTP", run: attackFrozen("http://"), noErrors: true},
		{name: "frozen process, TLS", run: attackFrozen("https://"), noErrors: true},
	}
	begin, tried, wrong := time.Now(), 0, 0
	var running sync.WaitGroup
	for _, g := range groups {
		running.Go(func() { g.run(g) })
	}
	running.Wait()
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	line := func(r row, mistake string) {
		fmt.Fprintf(w, "  %s\t%d\t%d\t%s\n", r.attack, r.tried, r.authorized, cmp.Or(mistake, r.why))
		if mistake != "" {
			wrong++
		}
	}
	for _, g := range groups {
		fmt.Fprintf(w, "%s\ttried\tauthorized\t\n", g.name)
		for _, r := range g.rows {
			tried += r.tried
			line(r, g.wrong(r))
		}
		g.control.attack = "no attack: good tokens in between"
		if g.control.tried > 0 && g.control.authorized == g.control.tried {
			line(g.control, "")
		} else {
			line(g.control, "<-- all must be authorized")
		}
	}
	_ = w.Flush()
	fmt.Printf("\n%d attacks in %.0f s, %d rows are wrong\n", tried, time.Since(begin).Seconds(), wrong)
	if wrong > 0 {
		os.Exit(1)
	}
}

// start starts the function and its provider, after configure, which may be nil, has changed them.
func start(configure func(*sandbox.Sandbox)) *sandbox.Sandbox {
	return must(sandbox.Start(context.Background(), configure))
}

// send sends the function an event with this token.
func send(s *sandbox.Sandbox, token string) (authorized, failed bool) {
	result := must(s.Function.Invoke(context.Background(), sandbox.Event(token)))
	return bytes.Contains(result.Payload, []byte(`"isAuthorized":true`)), result.FunctionError != nil
}

// must is for what fails only where the attack itself is wrong, or the function has ended.
func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}
