package boskos

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"sigs.k8s.io/boskos/client"
)

const (
	// How long a server may take from its start to readiness. A debug build on a loaded machine needs about a second.
	readyBound = 30 * time.Second
	// How long a server may take to leave after SIGTERM; it promises 10 s.
	stopBound = 15 * time.Second
	// How many ports to try; one that another program listens on is passed over.
	portTries = 20
	// The first port of the suite's servers. It and those that follow lie below 32768, where Linux begins to give out
	// ports by itself, so that no connection and no listener on port 0 takes one while its server is being restarted.
	firstPort = 21000
)

// lastPort is the port that was given out last. Every server of this run has a port of its own, also after its end:
// a test that polls a server cannot meet another test's server in its place.
var lastPort atomic.Int32

// init starts each run of the suite at another port, for two runs on one machine.
func init() { lastPort.Store(firstPort + int32(os.Getpid()%1000)*10) }

// server is one running lessor.
type server struct {
	URL   string
	addr  string
	data  string
	pools string
	log   string
	cmd   *exec.Cmd
	gone  chan struct{}
}

// lessorBin finds the binary under test.
func lessorBin(t *testing.T) string {
	t.Helper()
	bin := os.Getenv("LESSOR_BIN")
	if bin == "" {
		bin = filepath.Join("..", "..", "target", "debug", "lessor")
	}
	bin, err := filepath.Abs(bin)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(bin); err != nil {
		t.Fatalf("no lessor binary: %v; build it with `cargo build -p lessor`, or name one in LESSOR_BIN", err)
	}
	return bin
}

// startLessor serves pools, a resources.yaml as Boskos knows it, until the test ends.
func startLessor(t *testing.T, pools string) *server {
	t.Helper()
	dir := t.TempDir()
	s := &server{
		data:  filepath.Join(dir, "data"),
		pools: filepath.Join(dir, "resources.yaml"),
		log:   filepath.Join(dir, "lessor.log"),
	}
	if err := os.WriteFile(s.pools, []byte(pools), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.stop(t)
		if t.Failed() {
			t.Logf("the server said:\n%s", s.tail())
		}
	})
	var err error
	for range portTries {
		s.addr = fmt.Sprintf("127.0.0.1:%d", lastPort.Add(1))
		s.URL = "http://" + s.addr
		if err = s.start(lessorBin(t)); err == nil {
			return s
		}
	}
	t.Fatalf("lessor does not serve: %v\n%s", err, s.tail())
	return nil
}

// start runs the binary on the server's address and waits until it is ready.
func (s *server) start(bin string) error {
	log, err := os.OpenFile(s.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	s.cmd = exec.Command(bin, "serve", "--listen", s.addr, "--data", s.data, "--pools", s.pools)
	s.cmd.Stdout, s.cmd.Stderr = log, log
	s.cmd.Env = cleanEnv()
	// A test run that is cut off must not leave servers behind.
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.cmd.Start(); err != nil {
		return err
	}
	gone := make(chan struct{})
	s.gone = gone
	go func(cmd *exec.Cmd) {
		_ = cmd.Wait() // How it ended is in the log; here it only matters that it did.
		close(gone)
	}(s.cmd)
	return s.awaitReady()
}

// awaitReady polls /readyz until it answers 200, the process is gone, or the bound is reached.
func (s *server) awaitReady() error {
	deadline := time.Now().Add(readyBound)
	probe := &http.Client{Timeout: 2 * time.Second}
	for time.Now().Before(deadline) {
		select {
		case <-s.gone:
			return errors.New("it ended before it was ready")
		case <-time.After(20 * time.Millisecond):
		}
		response, err := probe.Get(s.URL + "/readyz")
		if err != nil {
			continue
		}
		_, _ = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
		if response.StatusCode == http.StatusOK && s.listens() {
			return nil
		}
	}
	return fmt.Errorf("not ready within %v", readyBound)
}

// listens says whether it is this server that answers, and not a program that held the port before it: its own log has to
// say that it listens there, which it does a moment after it takes connections.
func (s *server) listens() bool {
	log, err := os.ReadFile(s.log)
	return err == nil && bytes.Contains(log, []byte("lessor is ready on "+s.URL))
}

// stop asks the process to leave, and makes it leave if it does not.
func (s *server) stop(t *testing.T) {
	t.Helper()
	if s.gone == nil {
		return
	}
	_ = s.cmd.Process.Signal(syscall.SIGTERM) // It may be gone already.
	select {
	case <-s.gone:
	case <-time.After(stopBound):
		t.Errorf("lessor did not leave within %v of SIGTERM", stopBound)
		s.kill()
	}
}

// kill ends the process without a warning, as a power cut would.
func (s *server) kill() {
	_ = s.cmd.Process.Kill() // It may be gone already.
	<-s.gone
}

// restart kills the server and starts it again on the same address and data.
func (s *server) restart(t *testing.T) {
	t.Helper()
	s.kill()
	if err := s.start(lessorBin(t)); err != nil {
		t.Fatalf("lessor does not serve after a kill: %v", err)
	}
}

// tail gives the end of the server's log.
func (s *server) tail() string {
	log, err := os.ReadFile(s.log)
	if err != nil {
		return err.Error()
	}
	lines := bytes.Split(bytes.TrimSpace(log), []byte("\n"))
	return string(bytes.Join(lines[max(0, len(lines)-40):], []byte("\n")))
}

// cleanEnv is the environment without settings that are meant for another lessor.
func cleanEnv() []string {
	var env []string
	for _, setting := range os.Environ() {
		if !strings.HasPrefix(setting, "LESSOR_") {
			env = append(env, setting)
		}
	}
	return env
}

// newClient makes a Boskos client that talks to url in the name of owner.
func newClient(t *testing.T, owner, url string) *client.Client {
	t.Helper()
	c, err := client.NewClient(owner, url, "", "")
	if err != nil {
		t.Fatal(err)
	}
	// A server that is not there is a failed test at once, not after thirty seconds.
	c.Dialer.RetryCount = 0
	return c
}

// eventually polls check until it holds or the bound is reached.
func eventually(t *testing.T, bound time.Duration, what string, check func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), bound)
	defer cancel()
	for !check() {
		select {
		case <-ctx.Done():
			t.Fatalf("not within %v: %s", bound, what)
		case <-time.After(20 * time.Millisecond):
		}
	}
}
