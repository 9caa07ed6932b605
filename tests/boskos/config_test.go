package boskos

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const (
	bigTypes = 40
	bigEach  = 100
)

// bigPools writes a resources.yaml in the style of the official one: 4,000 names in 40 types, one name a line.
func bigPools() string {
	var file strings.Builder
	file.WriteString("resources:\n")
	for i := range bigTypes {
		fmt.Fprintf(&file, "- names:\n")
		for j := range bigEach {
			fmt.Fprintf(&file, "  - k8s-infra-e2e-boskos-%02d-%03d\n", i, j)
		}
		fmt.Fprintf(&file, "  state: dirty\n  type: %s\n", bigType(i))
	}
	return file.String()
}

func bigType(i int) string {
	return fmt.Sprintf("scalability-%02d-project", i)
}

func TestAnOfficialSizeFileLoadsAndServes(t *testing.T) {
	t.Parallel()
	pools := bigPools()
	checkConfig(t, pools)
	started := time.Now()
	s := startLessor(t, pools)
	t.Logf("%d resources in %d types were ready after %v", bigTypes*bigEach, bigTypes, time.Since(started))
	janitor := newClient(t, "Janitor", s.URL)
	for i := range bigTypes {
		metric, err := janitor.Metric(bigType(i))
		must(t, err)
		expectCounts(t, "current", metric.Current, map[string]int{"dirty": bigEach})
		r := mustAcquire(t, janitor, bigType(i), "dirty", "cleaning")
		if want := fmt.Sprintf("k8s-infra-e2e-boskos-%02d-000", i); r.Name != want {
			t.Errorf("got %s, want %s", r.Name, want)
		}
	}
	must(t, janitor.ReleaseAll("free"))
	metric, err := janitor.Metric(bigType(bigTypes - 1))
	must(t, err)
	expectCounts(t, "current", metric.Current, map[string]int{"dirty": bigEach - 1, "free": 1})
}

// The sample with our optional keys stays a file that Boskos itself accepts, and we serve it.
func TestTheSamplePoolsAreAlsoBoskosPools(t *testing.T) {
	t.Parallel()
	sample, err := os.ReadFile(filepath.Join("..", "..", "examples", "pools", "sample.yaml"))
	must(t, err)
	checkConfig(t, string(sample))
	s := startLessor(t, string(sample))
	ann := newClient(t, "ann", s.URL)
	for rtype, state := range map[string]string{"gpu": "free", "board-imx8": "free", "gce-project": "dirty", "vm-small": "free"} {
		r := mustAcquire(t, ann, rtype, state, "busy")
		if r.Type != rtype {
			t.Errorf("got %+v", r)
		}
	}
	must(t, ann.ReleaseAll("free"))
}

// A dynamic type keeps its minimum, and gives what it made an expiry date at the first release.
func TestADynamicTypeIsFilledAndAges(t *testing.T) {
	t.Parallel()
	s := startLessor(t, "resources:\n- {type: vm, state: free, min-count: 2, max-count: 3, lifespan: 1h}\n")
	ann := newClient(t, "ann", s.URL)
	metric, err := ann.Metric("vm")
	must(t, err)
	expectCounts(t, "current", metric.Current, map[string]int{"free": 2})

	r := mustAcquire(t, ann, "vm", "free", "busy")
	if r.ExpirationDate != nil {
		t.Errorf("never released, so never expiring: %+v", r)
	}
	before := time.Now()
	must(t, ann.ReleaseOne(r.Name, "used"))
	again := mustAcquire(t, ann, "vm", "used", "busy")
	if again.ExpirationDate == nil {
		t.Fatalf("no expiration-date: %+v", again)
	}
	if off := again.ExpirationDate.Sub(before.Add(time.Hour)); off < -time.Second || off > 10*time.Second {
		t.Errorf("expiration-date is %v off", off)
	}
}

// checkConfig lets the real checkconfig judge a file.
func checkConfig(t *testing.T, pools string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "resources.yaml")
	must(t, os.WriteFile(file, []byte(pools), 0o600))
	if got := runTool(t, "checkconfig", "--config", file); got.code != 0 {
		t.Fatalf("checkconfig refuses the file: %+v", got)
	}
}
