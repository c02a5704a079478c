package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// node is a program of local/smart. It ends when its standard input is closed.
type node struct {
	program string
	stdin   io.WriteCloser
	cmd     *exec.Cmd
	ready   chan struct{} // closed when its server listens
	ended   chan struct{} // closed when it has ended
}

// startNode starts a program, which then waits for its settings. If it ends, ended gets an error.
func startNode(root, program string, stdout, stderr io.Writer, ended chan<- error) (*node, error) {
	n := &node{program: program, ready: make(chan struct{}), ended: make(chan struct{})}
	n.cmd = exec.Command("node", program)
	n.cmd.Dir = filepath.Join(root, "local", "smart")
	n.cmd.Stderr = stderr
	n.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C reaches it by its standard input alone
	output, err := n.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if n.stdin, err = n.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := n.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start node: %w", err)
	}
	go func() {
		lines := bufio.NewScanner(output)
		for lines.Scan() {
			if lines.Text() == "ready" {
				close(n.ready)
			} else {
				fmt.Fprintln(stdout, lines.Text())
			}
		}
		err := n.cmd.Wait()
		close(n.ended)
		ended <- fmt.Errorf("%s ended: %v", n.program, err)
	}()
	return n, nil
}

// checkNode wants the version that the libraries need.
func checkNode(ctx context.Context) error {
	const fix = "Node.js 22 or 24 is needed: https://nodejs.org/"
	out, err := exec.CommandContext(ctx, "node", "--version").Output()
	if err != nil {
		return errors.New("node does not run; " + fix)
	}
	version := strings.TrimSpace(string(out))
	var major, minor int
	if _, err := fmt.Sscanf(version, "v%d.%d", &major, &minor); err != nil || major < 20 || major == 20 && minor < 19 {
		return fmt.Errorf("node is %s; %s", version, fix)
	}
	return nil
}

// settle gives the program its settings and waits until its server listens.
func (n *node) settle(ctx context.Context, settings []byte) error {
	if _, err := n.stdin.Write(settings); err != nil {
		return fmt.Errorf("%s does not take its settings: %w", n.program, err)
	}
	select {
	case <-n.ready:
		return nil
	case <-n.ended:
		return fmt.Errorf("%s did not start; it says why above", n.program)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// stop ends the program.
func (n *node) stop() error {
	_ = n.stdin.Close()
	select {
	case <-n.ended:
		return nil
	case <-time.After(3 * time.Second):
		return n.cmd.Process.Kill()
	}
}
