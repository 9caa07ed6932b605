package boskos

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

// toolsDir is where the real Boskos programs are built to, once for all tests.
var toolsDir string

func TestMain(m *testing.M) {
	flag.Parse()
	// The tests wait far more than they compute, so more of them than cores may run at once.
	if err := flag.Set("test.parallel", "32"); err != nil {
		panic(err)
	}
	dir, err := os.MkdirTemp("", "boskos-tools-")
	if err != nil {
		panic(err)
	}
	toolsDir = dir
	code := m.Run()
	_ = os.RemoveAll(dir) // A left-over in the folder for temporary files harms nobody.
	os.Exit(code)
}

// buildTools builds every program of the go.mod's tool list from the unmodified module.
var buildTools = sync.OnceValue(func() error {
	var output bytes.Buffer
	build := exec.Command("go", "build", "-o", toolsDir+string(filepath.Separator),
		"sigs.k8s.io/boskos/cmd/boskosctl",
		"sigs.k8s.io/boskos/cmd/checkconfig",
		"sigs.k8s.io/boskos/cmd/janitor",
		"sigs.k8s.io/boskos/cmd/reaper",
	)
	build.Stdout, build.Stderr = &output, &output
	if err := build.Run(); err != nil {
		return fmt.Errorf("%w\n%s", err, output.Bytes())
	}
	return nil
})

// tool gives the path of a real Boskos program.
func tool(t *testing.T, name string) string {
	t.Helper()
	if err := buildTools(); err != nil {
		t.Fatalf("the Boskos programs do not build: %v", err)
	}
	return filepath.Join(toolsDir, name)
}

// result is what a program left behind.
type result struct {
	stdout string
	stderr string
	code   int
}

// runTool runs a Boskos program to its end, which has to come within a minute.
func runTool(t *testing.T, name string, args ...string) result {
	t.Helper()
	program := tool(t, name)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("%s %v: %v", name, args, err)
	}
	return result{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// startTool runs a Boskos program that never ends by itself, and ends it with the test.
func startTool(t *testing.T, name string, args ...string) {
	t.Helper()
	log, err := os.Create(filepath.Join(t.TempDir(), name+".log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(tool(t, name), args...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // It may be gone already.
		_ = cmd.Wait()         // Killed, as intended.
		_ = log.Close()
		if t.Failed() {
			said, _ := os.ReadFile(log.Name())
			t.Logf("%s said:\n%s", name, said)
		}
	})
}
