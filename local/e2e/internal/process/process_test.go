package process

import (
	"context"
	"errors"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestCloseEndsWhatAProcessHasStarted starts a shell that starts another process and ignores the polite signal.
func TestCloseEndsWhatAProcessHasStarted(t *testing.T) {
	g := NewGroup(t.TempDir())
	p, err := g.Start(Command{Name: "shell", Path: "sh", Env: os.Environ(),
		Args: []string{"-c", "trap '' TERM; sleep 100 & echo $!; wait; wait"}})
	if err != nil {
		t.Fatal(err)
	}
	line, err := p.FirstLine(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	child, err := strconv.Atoi(line)
	if err != nil {
		t.Fatal(err)
	}
	g.Close()
	select {
	case <-p.Exited():
	default:
		t.Error("the process has not ended")
	}
	// The child is init's now, and a zombie until init asks after it.
	for range 250 {
		status, err := os.ReadFile("/proc/" + line + "/stat")
		if syscall.Kill(child, 0) != nil || err == nil && strings.Contains(string(status), ") Z ") {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Error("its child has not ended")
}

func TestRunIsEndedWithItsContext(t *testing.T) {
	g := NewGroup(t.TempDir())
	interrupted := errors.New("interrupted")
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(50*time.Millisecond, func() { cancel(interrupted) })
	if _, err := g.Run(ctx, Command{Name: "sleep", Path: "sleep", Args: []string{"100"}}); !errors.Is(err, interrupted) {
		t.Errorf("got %v", err)
	}
	g.Close()
	if _, err := g.Run(t.Context(), Command{Name: "late", Path: "true"}); err == nil {
		t.Error("a closed group started a process")
	}
}

func TestFailureHasTheEndOfTheOutput(t *testing.T) {
	g := NewGroup(t.TempDir())
	defer g.Close()
	_, err := g.Run(t.Context(), Command{Name: "failing", Path: "sh",
		Args: []string{"-c", "echo one; echo two >&2; exit 3"}})
	if err == nil || !strings.Contains(err.Error(), "exit status 3") || !strings.Contains(err.Error(), "one\ntwo") {
		t.Errorf("got %v", err)
	}
}
