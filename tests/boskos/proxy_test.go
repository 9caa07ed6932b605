package boskos

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"
	"time"
)

// call is one request that went through a proxy, and what came back.
type call struct {
	at     time.Time
	method string
	path   string
	query  url.Values
	status int
}

// proxy stands before a lessor, passes everything on, and remembers what it saw. It may be told to answer by itself.
type proxy struct {
	URL string

	lock  sync.Mutex
	calls []call
	// What to answer instead of passing on, one entry per request, oldest first.
	faults []int
}

// startProxy stands before target until the test ends. The first requests get the faults as their status.
func startProxy(t *testing.T, target string, faults ...int) *proxy {
	t.Helper()
	upstream, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{faults: faults}
	pass := httputil.NewSingleHostReverseProxy(upstream)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen := &statusKeeper{ResponseWriter: w, status: http.StatusOK}
		arrived := time.Now()
		query := r.URL.Query()
		method, path := r.Method, r.URL.Path
		if fault := p.nextFault(); fault != 0 {
			http.Error(seen, "made up by the proxy", fault)
		} else {
			pass.ServeHTTP(seen, r)
		}
		p.lock.Lock()
		defer p.lock.Unlock()
		p.calls = append(p.calls, call{arrived, method, path, query, seen.status})
	}))
	t.Cleanup(front.Close)
	p.URL = front.URL
	return p
}

func (p *proxy) nextFault() int {
	p.lock.Lock()
	defer p.lock.Unlock()
	if len(p.faults) == 0 {
		return 0
	}
	fault := p.faults[0]
	p.faults = p.faults[1:]
	return fault
}

// seen gives the calls to path so far, in the order in which they were answered.
func (p *proxy) seen(path string) []call {
	p.lock.Lock()
	defer p.lock.Unlock()
	var found []call
	for _, c := range p.calls {
		if c.path == path {
			found = append(found, c)
		}
	}
	return found
}

// expect fails the test unless path was called with exactly these answers.
func (p *proxy) expect(t *testing.T, path string, statuses ...int) []call {
	t.Helper()
	calls := p.seen(path)
	var got []int
	for _, c := range calls {
		got = append(got, c.status)
	}
	if len(got) != len(statuses) {
		t.Fatalf("%s was answered %v, want %v", path, got, statuses)
	}
	for i := range got {
		if got[i] != statuses[i] {
			t.Fatalf("%s was answered %v, want %v", path, got, statuses)
		}
	}
	return calls
}

// statusKeeper remembers the status that was written through it.
type statusKeeper struct {
	http.ResponseWriter
	status int
}

func (k *statusKeeper) WriteHeader(status int) {
	k.status = status
	k.ResponseWriter.WriteHeader(status)
}
