package boskos

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"sigs.k8s.io/boskos/client"
	"sigs.k8s.io/boskos/common"
)

const onePool = "resources:\n- {type: gpu, state: free, names: [gpu-1, gpu-2]}\n"

const oneThing = "resources:\n- {type: gpu, state: free, names: [gpu-1]}\n"

func TestAcquireWithoutPriority(t *testing.T) {
	t.Parallel()
	s := startLessor(t, onePool)
	ann := newClient(t, "ann", s.URL)
	before := time.Now()

	r := mustAcquire(t, ann, "gpu", "free", "busy")

	if r.Name != "gpu-1" || r.Type != "gpu" || r.State != "busy" || r.Owner != "ann" {
		t.Errorf("got %+v", r)
	}
	if r.LastUpdate.Before(before.Add(-time.Second)) || r.LastUpdate.After(time.Now().Add(time.Second)) {
		t.Errorf("lastupdate is %v, it should be about now", r.LastUpdate)
	}
	if r.UserData == nil || len(r.UserData.ToMap()) != 0 {
		t.Errorf("user data is %v, it should be there and empty", r.UserData)
	}
	if r.ExpirationDate != nil {
		t.Errorf("expiration-date is %v, it should be left out", r.ExpirationDate)
	}
	if !ann.HasResource() {
		t.Error("the client should know that it holds something")
	}
}

func TestAcquireTakesTheLongestUntouchedFirst(t *testing.T) {
	t.Parallel()
	s := startLessor(t, "resources:\n- {type: gpu, state: free, names: [gpu-1, gpu-2, gpu-3, gpu-4]}\n")
	ann := newClient(t, "ann", s.URL)
	met := map[string]bool{}
	for range 4 {
		r := mustAcquire(t, ann, "gpu", "free", "busy")
		met[r.Name] = true
		must(t, ann.ReleaseOne(r.Name, "free"))
	}
	if len(met) != 4 {
		t.Errorf("four rounds met %v, they should meet all four", met)
	}
}

func TestAcquireIsRefusedWhenAllIsTaken(t *testing.T) {
	t.Parallel()
	s := startLessor(t, oneThing)
	mustAcquire(t, newClient(t, "ann", s.URL), "gpu", "free", "busy")
	bob := newClient(t, "bob", s.URL)
	if _, err := bob.Acquire("gpu", "free", "busy"); !errors.Is(err, client.ErrNotFound) {
		t.Errorf("got %v", err)
	}
	if bob.HasResource() {
		t.Error("a refused client should hold nothing")
	}
}

// Statements 39 to 42: the line of one type and state, as seen by those who stand in it.
func TestAcquireWithPriorityIsFirstComeFirstServed(t *testing.T) {
	t.Parallel()
	s := startLessor(t, oneThing)
	holder := newClient(t, "holder", s.URL)
	waiter := newClient(t, "waiter", s.URL)
	held := mustAcquire(t, holder, "gpu", "free", "busy")
	mustWait(t, waiter, "id1")
	mustWait(t, waiter, "id2")
	must(t, holder.ReleaseOne(held.Name, "free"))

	mustWait(t, waiter, "")
	mustWait(t, waiter, "id2")
	r := mustAcquireAs(t, waiter, "id1")
	must(t, waiter.ReleaseOne(r.Name, "free"))

	mustWait(t, waiter, "id1")
	mustAcquireAs(t, waiter, "id2")
}

func TestLinesOfDifferentStatesAreIndependent(t *testing.T) {
	t.Parallel()
	s := startLessor(t, onePool)
	ann := newClient(t, "ann", s.URL)
	first := mustAcquire(t, ann, "gpu", "free", "busy")
	mustAcquire(t, ann, "gpu", "free", "busy")
	mustWait(t, newClient(t, "bob", s.URL), "id1")
	must(t, ann.ReleaseOne(first.Name, "dirty"))

	r := mustAcquire(t, newClient(t, "Janitor", s.URL), "gpu", "dirty", "cleaning")
	if r.Name != first.Name {
		t.Errorf("got %v", r.Name)
	}
}

func TestDistinguishNotFoundVsTypeNotFound(t *testing.T) {
	t.Parallel()
	s := startLessor(t, oneThing)
	ann := newClient(t, "ann", s.URL)
	ann.DistinguishNotFoundVsTypeNotFound = true
	for _, name := range []string{"tpu", `odd "name"`, "tab\there", "größe", "bell\a"} {
		if _, err := ann.Acquire(name, "free", "busy"); !errors.Is(err, client.ErrTypeNotFound) {
			t.Errorf("type %q: got %v", name, err)
		}
	}
	mustAcquire(t, ann, "gpu", "free", "busy")
	if _, err := ann.Acquire("gpu", "free", "busy"); !errors.Is(err, client.ErrNotFound) {
		t.Errorf("a type with nothing free: got %v", err)
	}
	plain := newClient(t, "bob", s.URL)
	if _, err := plain.Acquire("tpu", "free", "busy"); !errors.Is(err, client.ErrNotFound) {
		t.Errorf("a client that does not tell them apart: got %v", err)
	}
}

// A dynamic type that has no resource yet is known: a waiter that tells types apart has to stay.
func TestADynamicTypeIsKnownBeforeItHasResources(t *testing.T) {
	t.Parallel()
	s := startLessor(t, "resources:\n- {type: vm, state: free, min-count: 0, max-count: 2}\n")
	ann := newClient(t, "ann", s.URL)
	ann.DistinguishNotFoundVsTypeNotFound = true
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	r, err := ann.AcquireWait(ctx, "vm", "free", "busy")
	if err != nil {
		t.Fatalf("got %v", err)
	}
	if r.Type != "vm" || len(r.Name) != 36 {
		t.Errorf("got %+v, want a vm whose name is a UUID", r)
	}
}

func TestNoTwoClientsHoldOneThing(t *testing.T) {
	t.Parallel()
	s := startLessor(t, onePool)
	var lock sync.Mutex
	holders := map[string]string{}
	var clients sync.WaitGroup
	for i := range 8 {
		owner := fmt.Sprintf("job-%d", i)
		c := newClient(t, owner, s.URL)
		clients.Add(1)
		go func() {
			defer clients.Done()
			for taken := 0; taken < 25 && t.Context().Err() == nil && !t.Failed(); {
				r, err := c.Acquire("gpu", "free", "busy")
				if errors.Is(err, client.ErrNotFound) {
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				taken++
				enter(t, &lock, holders, r, owner)
				if err := c.ReleaseOne(r.Name, "free"); err != nil {
					t.Error(err)
				}
			}
		}()
	}
	clients.Wait()
}

// enter notes that owner holds r, complains if somebody else does, and takes the note away again.
func enter(t *testing.T, lock *sync.Mutex, holders map[string]string, r *common.Resource, owner string) {
	lock.Lock()
	if other, taken := holders[r.Name]; taken {
		t.Errorf("%s got %s while %s held it", owner, r.Name, other)
	}
	holders[r.Name] = owner
	lock.Unlock()
	time.Sleep(time.Millisecond) // Holding takes time; without it, an overlap would hardly show.
	lock.Lock()
	delete(holders, r.Name)
	lock.Unlock()
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func mustAcquire(t *testing.T, c *client.Client, rtype, state, dest string) *common.Resource {
	t.Helper()
	r, err := c.Acquire(rtype, state, dest)
	if err != nil {
		t.Fatalf("acquire %s %s: %v", rtype, state, err)
	}
	return r
}

func mustAcquireAs(t *testing.T, c *client.Client, request string) *common.Resource {
	t.Helper()
	r, err := c.AcquireWithPriority("gpu", "free", "busy", request)
	if err != nil {
		t.Fatalf("request %q: %v", request, err)
	}
	return r
}

func mustWait(t *testing.T, c *client.Client, request string) {
	t.Helper()
	if _, err := c.AcquireWithPriority("gpu", "free", "busy", request); !errors.Is(err, client.ErrNotFound) {
		t.Fatalf("request %q should have to wait, got %v", request, err)
	}
}
