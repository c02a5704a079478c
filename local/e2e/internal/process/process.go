// Package process starts the programs that a run needs and ends every one of them, whatever happens to the run.
package process

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// stopWait is how long a process has to end by itself before it is killed.
const stopWait = 3 * time.Second

// Command is a program to start. Its environment is Env alone; nothing is inherited.
type Command struct {
	Name string // of its log file, without extension
	Path string // looked up in this process's PATH
	Args []string
	Dir  string
	Env  []string
}

// Group starts processes, each with its output in a file of its own and in a process group of its own, so that what it
// has started ends with it. Its methods may be called from several goroutines.
type Group struct {
	logs string

	mu      sync.Mutex
	closed  bool
	running map[*Process]struct{}
	count   map[string]int
}

// NewGroup returns an empty group that writes its log files to an existing directory.
func NewGroup(logs string) *Group {
	return &Group{logs: logs, running: map[*Process]struct{}{}, count: map[string]int{}}
}

// Process is a started program.
type Process struct {
	group  *Group
	name   string
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	log    string
	first  chan string   // its first line of output, if there was one
	exited chan struct{} // closed when it has ended; err is set before
	err    error
}

// Start starts a server. Its standard input stays open until it is stopped or this process ends, however that happens.
func (g *Group) Start(c Command) (*Process, error) {
	p, err := g.start(c, true)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", c.Name, err)
	}
	return p, nil
}

// Run runs a program to its end and returns its output. If the program fails, the error has the end of it. If ctx is
// done first, the program is ended, and the error is ctx's cause.
func (g *Group) Run(ctx context.Context, c Command) (string, error) {
	p, err := g.start(c, false)
	if err != nil {
		return "", fmt.Errorf("run %s: %w", c.Name, err)
	}
	select {
	case <-p.exited:
	case <-ctx.Done():
		p.Stop()
		return "", context.Cause(ctx)
	}
	output, err := os.ReadFile(p.log)
	if err != nil {
		return "", fmt.Errorf("run %s: %w", c.Name, err)
	}
	if p.err != nil {
		return string(output), fmt.Errorf("%s: %w; it said at the end:\n%s", c.Name, p.err, tail(output, 15))
	}
	return string(output), nil
}

func (g *Group) start(c Command, server bool) (*Process, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return nil, errors.New("the run is ending")
	}
	path, err := exec.LookPath(c.Path)
	if err != nil {
		return nil, err
	}
	g.count[c.Name]++
	name := c.Name
	if n := g.count[c.Name]; n > 1 {
		name = fmt.Sprintf("%s-%d", c.Name, n)
	}
	p := &Process{
		group:  g,
		name:   c.Name,
		log:    filepath.Join(g.logs, name+".log"),
		first:  make(chan string, 1),
		exited: make(chan struct{}),
	}
	log, err := os.Create(p.log)
	if err != nil {
		return nil, err
	}
	p.cmd = exec.Command(path, c.Args...)
	p.cmd.Dir, p.cmd.Env = c.Dir, c.Env
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.cmd.Stderr = log
	p.cmd.WaitDelay = stopWait
	if p.cmd.Env == nil {
		p.cmd.Env = []string{}
	}
	if server {
		if p.stdin, err = p.cmd.StdinPipe(); err != nil {
			return nil, errors.Join(err, log.Close())
		}
		p.cmd.Stdout = io.MultiWriter(log, &firstLine{found: p.first})
	} else {
		p.cmd.Stdout = log
	}
	if err := p.cmd.Start(); err != nil {
		return nil, errors.Join(err, log.Close())
	}
	g.running[p] = struct{}{}
	go func() {
		p.err = p.cmd.Wait()
		_ = log.Close()
		g.mu.Lock()
		delete(g.running, p)
		g.mu.Unlock()
		close(p.exited)
	}()
	return p, nil
}

// Close ends every process of the group, and starts no more.
func (g *Group) Close() {
	g.mu.Lock()
	g.closed = true
	var running []*Process
	for p := range g.running {
		running = append(running, p)
	}
	g.mu.Unlock()
	var all sync.WaitGroup
	for _, p := range running {
		all.Go(p.Stop)
	}
	all.Wait()
}

// FirstLine returns the first line that the process writes to its standard output.
func (p *Process) FirstLine(ctx context.Context) (string, error) {
	select {
	case line := <-p.first:
		return line, nil
	case <-p.exited:
		select {
		case line := <-p.first:
			return line, nil
		default:
		}
		return "", p.Ended()
	case <-ctx.Done():
		return "", fmt.Errorf("%s: no address: %w", p.name, context.Cause(ctx))
	}
}

// Exited is closed when the process has ended.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// Ended is an error that has the end of the process's output.
func (p *Process) Ended() error {
	output, err := os.ReadFile(p.log)
	if err != nil {
		return err
	}
	return fmt.Errorf("%s has ended: %s", p.name, tail(output, 5))
}

// Signal sends a signal to the process and what it has started.
func (p *Process) Signal(signal syscall.Signal) error {
	if err := syscall.Kill(-p.cmd.Process.Pid, signal); err != nil {
		return fmt.Errorf("signal %s: %w", p.name, err)
	}
	return nil
}

// Stop ends the process and what it has started, and waits for that. It may be called more than once.
func (p *Process) Stop() {
	if p.stdin != nil {
		_ = p.stdin.Close()
	}
	// The group's id is the process's; nobody else gets it before the process has ended.
	select {
	case <-p.exited:
		return
	default:
	}
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGCONT)
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGTERM)
	select {
	case <-p.exited:
	case <-time.After(stopWait):
	}
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) // the process, or what it has left behind
	<-p.exited
}

// firstLine passes the first line that is written to it to a channel.
type firstLine struct {
	partial []byte
	done    bool
	found   chan<- string
}

func (f *firstLine) Write(b []byte) (int, error) {
	if !f.done {
		f.partial = append(f.partial, b...)
		if line, _, found := bytes.Cut(f.partial, []byte("\n")); found {
			f.done = true
			f.found <- string(line)
		}
	}
	return len(b), nil
}

// tail is the last lines of an output, without the empty ones.
func tail(output []byte, most int) string {
	var lines []string
	scanner := bufio.NewScanner(bytes.NewReader(output))
	for scanner.Scan() {
		if line := strings.TrimSpace(scanner.Text()); line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines[max(0, len(lines)-most):], "\n")
}
