package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	// How long a server may take until it answers.
	readyBound = 30 * time.Second
	// How long a server may take to leave after SIGTERM.
	stopBound = 15 * time.Second
)

// errMissing says that a server's program is not there.
type errMissing struct{ program string }

func (e errMissing) Error() string { return e.program + " is not installed" }

func isMissing(err error) bool {
	var missing errMissing
	return errors.As(err, &missing)
}

// process is one running server.
type process struct {
	address string
	cmd     *exec.Cmd
	log     string
	gone    chan struct{}
}

// launch runs a server's program, and waits until ready says that it answers at address.
func launch(ctx context.Context, dir, address, program string, ready func(context.Context) error, args ...string) (*process, error) {
	path, err := exec.LookPath(program)
	if err != nil {
		return nil, errMissing{program}
	}
	p := &process{address: address, log: filepath.Join(dir, "server.log"), gone: make(chan struct{})}
	log, err := os.Create(p.log)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	p.cmd = exec.Command(path, args...)
	p.cmd.Dir = dir
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.Env = cleanEnv()
	// A run that is cut off must not leave servers behind.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = p.cmd.Wait() // How it ended is in its log; here it only matters that it did.
		close(p.gone)
	}()
	if err := p.awaitReady(ctx, ready); err != nil {
		p.stop()
		return nil, fmt.Errorf("%s: %w\n%s", program, err, p.tail())
	}
	return p, nil
}

func (p *process) awaitReady(ctx context.Context, ready func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, readyBound)
	defer cancel()
	for {
		try, done := context.WithTimeout(ctx, 2*time.Second)
		err := ready(try)
		done()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("not ready within %v: %w", readyBound, err)
		case <-p.gone:
			return errors.New("it ended before it was ready")
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// stop asks the process to leave, and makes it leave if it does not.
func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // It may be gone already.
	select {
	case <-p.gone:
	case <-time.After(stopBound):
		_ = p.cmd.Process.Kill() // It may be gone already.
		<-p.gone
	}
}

// tail gives the end of what the server printed.
func (p *process) tail() string {
	log, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	lines := bytes.Split(bytes.TrimSpace(log), []byte("\n"))
	return string(bytes.Join(lines[max(0, len(lines)-20):], []byte("\n")))
}

// freeAddress finds a loopback address that nobody listens on right now.
func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer listener.Close()
	return listener.Addr().String(), nil
}

// cleanEnv is the environment without settings that are meant for other servers.
func cleanEnv() []string {
	var env []string
	for _, setting := range os.Environ() {
		if !strings.HasPrefix(setting, "LESSOR_") && !strings.HasPrefix(setting, "ETCD_") {
			env = append(env, setting)
		}
	}
	return env
}
