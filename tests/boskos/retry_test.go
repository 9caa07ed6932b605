package boskos

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"sigs.k8s.io/boskos/client"
)

// The client waits so long between its tries, whatever it wanted.
var clientWaits = []time.Duration{time.Second, 4 * time.Second, 9 * time.Second}

// expectWaits checks the times between four tries. Waits may be longer on a busy machine, never shorter.
func expectWaits(t *testing.T, calls []call) {
	t.Helper()
	for i, want := range clientWaits {
		if got := calls[i+1].at.Sub(calls[i].at); got < want || got > want+20*time.Second {
			t.Errorf("wait %d was %v, want %v", i+1, got, want)
		}
	}
}

func TestBoskos109_500IsTriedFourTimes(t *testing.T) {
	t.Parallel()
	s := startLessor(t, oneThing)
	before := startProxy(t, s.URL, 500, 500, 500, 500)
	ann := newClient(t, "ann", before.URL)

	_, err := ann.Acquire("gpu", "free", "busy")

	if err == nil || err.Error() != "status 500 Internal Server Error, status code 500" {
		t.Errorf("got %v", err)
	}
	expectWaits(t, before.expect(t, "/acquire", 500, 500, 500, 500))
}

// The 400 is the server's own: an empty list of names is not a request.
func TestBoskos109_400IsTriedFourTimes(t *testing.T) {
	t.Parallel()
	s := startLessor(t, oneThing)
	before := startProxy(t, s.URL)
	ann := newClient(t, "ann", before.URL)

	_, err := ann.AcquireByState("free", "busy", nil)

	if err == nil || err.Error() != "status 400 Bad Request, status code 400" {
		t.Errorf("got %v", err)
	}
	expectWaits(t, before.expect(t, "/acquirebystate", 400, 400, 400, 400))
}

func TestBoskos109_ATryThatSucceedsIsTheLast(t *testing.T) {
	t.Parallel()
	s := startLessor(t, oneThing)
	before := startProxy(t, s.URL, http.StatusServiceUnavailable, http.StatusInternalServerError)
	r := mustAcquire(t, newClient(t, "ann", before.URL), "gpu", "free", "busy")
	if r.Name != "gpu-1" {
		t.Errorf("got %+v", r)
	}
	before.expect(t, "/acquire", http.StatusServiceUnavailable, http.StatusInternalServerError, http.StatusOK)
}

func TestBoskos110_404OnAcquireIsTriedOnce(t *testing.T) {
	t.Parallel()
	s := startLessor(t, oneThing)
	before := startProxy(t, s.URL)
	ann := newClient(t, "ann", before.URL)
	if _, err := ann.Acquire("tpu", "free", "busy"); !errors.Is(err, client.ErrNotFound) {
		t.Errorf("no such type: got %v", err)
	}
	if _, err := ann.Acquire("gpu", "dirty", "busy"); !errors.Is(err, client.ErrNotFound) {
		t.Errorf("nothing in that state: got %v", err)
	}
	if _, err := ann.AcquireByState("dirty", "busy", []string{"gpu-1"}); !errors.Is(err, client.ErrNotFound) {
		t.Errorf("by state: got %v", err)
	}
	before.expect(t, "/acquire", http.StatusNotFound, http.StatusNotFound)
	before.expect(t, "/acquirebystate", http.StatusNotFound)
}

// What is not acquire is tried again whatever the answer was: each of these costs the caller 14 s.
func TestOtherRefusalsAreTriedFourTimes(t *testing.T) {
	t.Parallel()
	s := startLessor(t, onePool)
	ann := newClient(t, "ann", s.URL)
	held := mustAcquire(t, ann, "gpu", "free", "busy")
	for _, refused := range []struct {
		name   string
		path   string
		status int
		text   string
		try    func(c *client.Client) error
	}{
		{
			"ReleaseByAnother", "/release", http.StatusUnauthorized,
			"status 401 Unauthorized, statusCode 401 releasing " + held.Name,
			func(c *client.Client) error { return c.Release(held.Name, "free") },
		},
		{
			"ReleaseOfNothing", "/release", http.StatusNotFound,
			"status 404 Not Found, statusCode 404 releasing nope",
			func(c *client.Client) error { return c.Release("nope", "free") },
		},
		{
			"UpdateByAnother", "/update", http.StatusUnauthorized,
			"status 401 Unauthorized, status code 401 updating " + held.Name,
			func(c *client.Client) error { return c.Update(held.Name, "busy", nil) },
		},
		{
			"MetricOfNothing", "/metric", http.StatusNotFound,
			"status 404 Not Found, status code 404",
			func(c *client.Client) error { _, err := c.Metric("tpu"); return err },
		},
	} {
		t.Run(refused.name, func(t *testing.T) {
			t.Parallel()
			before := startProxy(t, s.URL)
			err := refused.try(newClient(t, "bob", before.URL))
			if err == nil || err.Error() != refused.text {
				t.Errorf("got %v, want %s", err, refused.text)
			}
			before.expect(t, refused.path, refused.status, refused.status, refused.status, refused.status)
		})
	}
}

func TestAnUpdateWithAnotherStateIsAConflict(t *testing.T) {
	t.Parallel()
	s := startLessor(t, oneThing)
	before := startProxy(t, s.URL)
	ann := newClient(t, "ann", before.URL)
	held := mustAcquire(t, ann, "gpu", "free", "busy")
	err := ann.UpdateOne(held.Name, "free", nil)
	if err == nil || err.Error() != "status 409 Conflict, status code 409 updating gpu-1" {
		t.Errorf("got %v", err)
	}
	before.expect(t, "/update", 409, 409, 409, 409)
}
