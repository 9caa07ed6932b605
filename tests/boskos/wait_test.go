package boskos

import (
	"context"
	"errors"
	"testing"
	"time"

	"sigs.k8s.io/boskos/client"
	"sigs.k8s.io/boskos/common"
)

// How long a hand-over may take: the client polls every 3 s.
const handOverBound = 15 * time.Second

// outcome is what a waiting client came back with.
type outcome struct {
	owner    string
	resource *common.Resource
	err      error
}

// wait lets a new client wait for a gpu, and comes back once the server has told it to wait.
func wait(t *testing.T, s *server, owner string, outcomes chan<- outcome) *client.Client {
	t.Helper()
	before := startProxy(t, s.URL)
	c := newClient(t, owner, before.URL)
	ctx, cancel := context.WithTimeout(t.Context(), handOverBound)
	go func() {
		defer cancel()
		r, err := c.AcquireWait(ctx, "gpu", "free", "busy")
		outcomes <- outcome{owner, r, err}
	}()
	eventually(t, handOverBound, owner+" stands in line", func() bool { return len(before.seen("/acquire")) > 0 })
	return c
}

func TestAcquireWaitHandsOverBetweenTwoClients(t *testing.T) {
	t.Parallel()
	s := startLessor(t, oneThing)
	ann := newClient(t, "ann", s.URL)
	held := mustAcquire(t, ann, "gpu", "free", "busy")
	outcomes := make(chan outcome, 1)
	bob := wait(t, s, "bob", outcomes)

	must(t, ann.ReleaseOne(held.Name, "free"))

	got := <-outcomes
	if got.err != nil {
		t.Fatalf("bob waited in vain: %v", got.err)
	}
	if got.resource.Name != held.Name || got.resource.Owner != "bob" {
		t.Errorf("got %+v", got.resource)
	}
	must(t, bob.ReleaseOne(held.Name, "free"))
}

func TestAcquireWaitKeepsTheOrderOfArrival(t *testing.T) {
	t.Parallel()
	s := startLessor(t, oneThing)
	ann := newClient(t, "ann", s.URL)
	held := mustAcquire(t, ann, "gpu", "free", "busy")
	outcomes := make(chan outcome, 2)
	waiting := map[string]*client.Client{}
	waiting["bob"] = wait(t, s, "bob", outcomes)
	waiting["cat"] = wait(t, s, "cat", outcomes)

	must(t, ann.ReleaseOne(held.Name, "free"))

	for _, next := range []string{"bob", "cat"} {
		got := <-outcomes
		if got.err != nil || got.owner != next {
			t.Fatalf("it was %s's turn, got %s with %v", next, got.owner, got.err)
		}
		must(t, waiting[next].ReleaseOne(held.Name, "free"))
	}
}

func TestAcquireWaitEndsWithItsContext(t *testing.T) {
	t.Parallel()
	s := startLessor(t, oneThing)
	mustAcquire(t, newClient(t, "ann", s.URL), "gpu", "free", "busy")
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err := newClient(t, "bob", s.URL).AcquireWait(ctx, "gpu", "free", "busy")
	if !errors.Is(err, client.ErrNotFound) {
		t.Errorf("got %v, want the last answer", err)
	}
}

func TestAcquireWaitGivesUpOnATypeThatDoesNotExist(t *testing.T) {
	t.Parallel()
	s := startLessor(t, oneThing)
	ann := newClient(t, "ann", s.URL)
	ann.DistinguishNotFoundVsTypeNotFound = true
	if _, err := ann.AcquireWait(t.Context(), "tpu", "free", "busy"); !errors.Is(err, client.ErrTypeNotFound) {
		t.Errorf("got %v", err)
	}
}

func TestAcquireByStateWaitHandsOver(t *testing.T) {
	t.Parallel()
	s := startLessor(t, onePool)
	ann := newClient(t, "ann", s.URL)
	held := mustAcquire(t, ann, "gpu", "free", "busy")
	before := startProxy(t, s.URL)
	bob := newClient(t, "bob", before.URL)
	outcomes := make(chan outcome, 1)
	ctx, cancel := context.WithTimeout(t.Context(), handOverBound)
	defer cancel()
	go func() {
		rs, err := bob.AcquireByStateWait(ctx, "composed", "leased", []string{held.Name})
		if err != nil || len(rs) != 1 {
			outcomes <- outcome{"bob", nil, errors.Join(err, errors.New("not exactly one resource"))}
			return
		}
		outcomes <- outcome{"bob", &rs[0], nil}
	}()
	eventually(t, handOverBound, "bob was told to wait", func() bool { return len(before.seen("/acquirebystate")) > 0 })

	must(t, ann.ReleaseOne(held.Name, "composed"))

	got := <-outcomes
	if got.err != nil {
		t.Fatal(got.err)
	}
	if got.resource.Name != held.Name || got.resource.State != "leased" {
		t.Errorf("got %+v", got.resource)
	}
}

// A killed server keeps leases and the line: what was acknowledged is durable.
func TestLeasesAndTheLineSurviveAKill(t *testing.T) {
	t.Parallel()
	s := startLessor(t, oneThing)
	ann := newClient(t, "ann", s.URL)
	bob := newClient(t, "bob", s.URL)
	held := mustAcquire(t, ann, "gpu", "free", "busy")
	mustWait(t, bob, "id1")
	mustWait(t, bob, "id2")

	s.restart(t)

	must(t, ann.UpdateOne(held.Name, "busy", nil))
	must(t, ann.ReleaseOne(held.Name, "free"))
	mustWait(t, bob, "id2")
	mustAcquireAs(t, bob, "id1")
}
