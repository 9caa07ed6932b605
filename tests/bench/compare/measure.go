package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// worker is one client: what it does in one cycle, with its own resource or key.
type worker func(ctx context.Context) error

// result is what one measurement found.
type result struct {
	cycles  int
	errors  int
	elapsed time.Duration
	p50     time.Duration
	p99     time.Duration
}

func (r result) perSecond() float64 {
	return float64(r.cycles) / r.elapsed.Seconds()
}

// shift is what one client did.
type shift struct {
	took   []time.Duration
	errors int
	last   error
}

// measure lets all workers go round in a closed loop, first to warm up, then for the record.
func measure(ctx context.Context, s settings, workers []worker) (result, error) {
	if s.warmup > 0 {
		if _, err := drive(ctx, s.warmup, workers); err != nil {
			return result{}, fmt.Errorf("warming up: %w", err)
		}
	}
	return drive(ctx, s.duration, workers)
}

func drive(ctx context.Context, duration time.Duration, workers []worker) (result, error) {
	shifts := make([]shift, len(workers))
	started := time.Now()
	deadline := started.Add(duration)
	var group sync.WaitGroup
	for i, work := range workers {
		group.Go(func() { shifts[i] = untilDeadline(ctx, deadline, work) })
	}
	group.Wait()
	res := result{elapsed: time.Since(started)}
	if err := ctx.Err(); err != nil {
		return res, err
	}
	var took []time.Duration
	var last error
	for _, one := range shifts {
		took = append(took, one.took...)
		res.errors += one.errors
		last = errors.Join(last, one.last)
	}
	res.cycles = len(took)
	if res.cycles == 0 {
		return res, fmt.Errorf("not one cycle succeeded: %w", last)
	}
	slices.Sort(took)
	res.p50 = took[len(took)/2]
	res.p99 = took[len(took)*99/100]
	return res, nil
}

// untilDeadline is one client's closed loop. A cycle counts if it began before the deadline and succeeded.
func untilDeadline(ctx context.Context, deadline time.Time, work worker) shift {
	var done shift
	for ctx.Err() == nil {
		began := time.Now()
		if !began.Before(deadline) {
			break
		}
		if err := work(ctx); err != nil {
			done.errors++
			done.last = err
			// A server that refuses at once must not be hammered with refusals.
			time.Sleep(time.Millisecond)
			continue
		}
		done.took = append(done.took, time.Since(began))
	}
	return done
}
