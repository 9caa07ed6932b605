// Compare measures cycles of acquire and release per second: Lessor over the Boskos dialect and over /v1, Redis with
// `appendfsync always`, and etcd. All are measured in the same run, one after the other, by the same closed loop of
// clients, with data on the same disk. What counts is the ratios.
//
// A cycle is one exclusive, durable grant and its end:
//
//	lessor         POST /acquire, POST /release
//	lessor-v1      POST /v1/leases, DELETE /v1/leases/{id}
//	lessor-lean    as lessor, but with a client made for speed (fasthttp) instead of Go's own
//	nothing        GET /healthz twice: how much of it is HTTP and its client; nothing-lean likewise
//	redis          SET key owner EX 60 NX, DEL key
//	etcd           LeaseGrant, Txn(create if absent), LeaseRevoke
//
// A server whose program is not there is named and left out.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// settings are what the command line says.
type settings struct {
	lessor   string
	dir      string
	clients  int
	duration time.Duration
	warmup   time.Duration
	rounds   int
	output   string
	only     string
}

func main() {
	var s settings
	flag.StringVar(&s.lessor, "lessor", "../../../target/release/lessor", "the lessor `binary`")
	flag.StringVar(&s.dir, "dir", "", "`folder` on the disk to measure, for the servers' data (default: that for temporary files)")
	flag.IntVar(&s.clients, "clients", 64, "how many clients work at the same time")
	flag.DurationVar(&s.duration, "duration", 10*time.Second, "how long each contestant is measured in each round")
	flag.DurationVar(&s.warmup, "warmup", time.Second, "how long each contestant is driven before it is measured")
	flag.IntVar(&s.rounds, "rounds", 3, "how often all are measured; what is shown is the round with the median throughput")
	flag.StringVar(&s.output, "o", "table", "`table` or json")
	flag.StringVar(&s.only, "only", "", "measure only those of this comma-separated `list`: "+names())
	flag.Parse()
	if err := s.check(); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, s); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func (s settings) check() error {
	if flag.NArg() > 0 {
		return fmt.Errorf("what is %q?", flag.Arg(0))
	}
	if s.clients < 1 || s.rounds < 1 || s.duration <= 0 || s.warmup < 0 {
		return fmt.Errorf("there have to be clients, rounds and time to measure")
	}
	if s.output != "table" && s.output != "json" {
		return fmt.Errorf("-o is table or json, not %q", s.output)
	}
	for name := range strings.SplitSeq(s.only, ",") {
		if name != "" && !strings.Contains(","+strings.ReplaceAll(names(), ", ", ",")+",", ","+name+",") {
			return fmt.Errorf("-only knows %s, not %q", names(), name)
		}
	}
	return nil
}

// wanted tells whether a contestant is to be measured.
func (s settings) wanted(name string) bool {
	return s.only == "" || strings.Contains(","+s.only+",", ","+name+",")
}

// run measures everyone in each round and prints what came of it.
func run(ctx context.Context, s settings) error {
	dir, err := os.MkdirTemp(s.dir, "bench-compare-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	rep := report{Clients: s.clients, Seconds: s.duration.Seconds(), Rounds: s.rounds, Missing: map[string]string{}}
	results := map[string][]result{}
	for round := range s.rounds {
		for _, c := range contestants {
			if !s.wanted(c.name) || rep.Missing[c.name] != "" {
				continue
			}
			fmt.Fprintf(os.Stderr, "round %d of %d: %s\n", round+1, s.rounds, c.name)
			res, err := one(ctx, s, c, dir)
			if isMissing(err) {
				rep.Missing[c.name] = err.Error()
				fmt.Fprintf(os.Stderr, "%s is left out: %v\n", c.name, err)
				continue
			}
			if err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
			results[c.name] = append(results[c.name], res)
		}
	}
	rep.fill(results)
	if s.output == "json" {
		out := json.NewEncoder(os.Stdout)
		out.SetIndent("", "  ")
		return out.Encode(rep)
	}
	rep.print(os.Stdout)
	return nil
}

// one starts a contestant, drives it, and stops it again.
func one(ctx context.Context, s settings, c contestant, dir string) (result, error) {
	own, err := os.MkdirTemp(dir, "data-")
	if err != nil {
		return result{}, err
	}
	defer os.RemoveAll(own)
	server, err := c.start(ctx, s, own)
	if err != nil {
		return result{}, err
	}
	defer server.stop()
	team, err := c.connect(ctx, s, server)
	if err != nil {
		return result{}, fmt.Errorf("%w\n%s", err, server.tail())
	}
	defer team.leave()
	res, err := measure(ctx, s, team.workers)
	if err != nil {
		return result{}, fmt.Errorf("%w\n%s", err, server.tail())
	}
	return res, nil
}
